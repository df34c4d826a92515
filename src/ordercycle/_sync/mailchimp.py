"""Mailchimp's static segments, over the Marketing API 3.0."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa

from ordercycle._errors import ConfigError, Option, SyncError
from ordercycle._public import public
from ordercycle._sync.connection import Batch, Layout, Outcome, RemoteAudience
from ordercycle._sync.credentials import Secret, secret_of
from ordercycle._sync.transport import (
    SERVER_ERROR,
    Again,
    Answer,
    HttpTransport,
    Transport,
    asked,
    checked_url,
)

VENDOR = "Mailchimp"
#: As many as one request adds to or takes off a segment.
BATCH_ROWS = 500
#: The vendor allows ten connections; one is left for others.
CONCURRENCY = 9
PAGE = 1000
#: Bytes that a merge field holds.
MERGE_BYTES = 255
VERSION = "3.0"
NEW_MEMBERS = ("subscribed", "pending")
#: The column of addresses in rows.
ADDRESS = "EMAIL"
OK, NO_CONTENT, NOT_FOUND, NOT_ALLOWED, THROTTLED, FORBIDDEN = 200, 204, 404, 405, 429, 403
LAYOUT = Layout((ADDRESS,), {"FNAME": "first_name", "LNAME": "last_name"}, texts=True)


class MailchimpConnection:
    """Speaks the protocol of static segments for one list."""

    vendor = VENDOR
    target = "mailchimp"
    layout = LAYOUT
    batch_rows = BATCH_ROWS
    concurrency = CONCURRENCY
    replaces = False
    takes_values = False

    def __init__(
        self, listed: str, key: Secret, base_url: str | None, new_members: str | None
    ) -> None:
        self._list = listed
        self._key = key
        self._base_url = base_url
        self._new_members = new_members
        self.transport: Transport | None = None

    @property
    def identity(self) -> str:
        """The list."""
        return f"mailchimp:{self._list}"

    def check(self, *, has_consent: bool) -> None:
        """Raise a ConfigError where the key is none, or new members gave no consent."""
        self._root()
        if self._new_members is not None and not has_consent:
            raise ConfigError(
                (
                    Option("new_members", self._new_members),
                    " makes members of people, and the contacts have no column of consent",
                ),
                remedy=("name it with ", Option("ContactColumns.consent")),
            )

    def find(self, name: str) -> RemoteAudience | None:
        """Return the static segment of a name; small and capital letters are the same there."""
        found: list[RemoteAudience] = []
        offset = 0
        while True:
            query = urlencode({"type": "static", "count": PAGE, "offset": offset})
            page = self._asked("GET", f"segments?{query}", None, _segments)
            found += [
                RemoteAudience(str(one["id"]), one["name"])
                for one in page
                if one["name"].casefold() == name.casefold()
            ]
            offset += len(page)
            if len(page) < PAGE:
                break
        if len(found) > 1:
            raise ConfigError(
                f"{VENDOR} has {len(found)} segments called {name!r}",
                remedy="rename or delete all but one of them",
            )
        return found[0] if found else None

    def create(self, name: str, *, has_values: bool) -> RemoteAudience:  # noqa: ARG002 - as all
        """Make a static segment that nobody is in."""

        def made(found: Any) -> Any:
            if not isinstance(found, dict) or not isinstance(found.get("id"), int):
                return _senseless()
            return RemoteAudience(str(found["id"]), name)

        body = {"name": name, "static_segment": []}
        created: RemoteAudience = self._asked(
            "POST", "segments", body, made, after_loss=lambda: self.find(name)
        )
        return created

    def present(self, remote: RemoteAudience) -> Sequence[str]:
        """Return the addresses of those who are in a segment."""
        found: list[str] = []
        while True:
            query = urlencode(
                {"count": PAGE, "offset": len(found), "fields": "members.email_address"}
            )
            page = self._asked("GET", f"segments/{remote.id}/members?{query}", None, _members)
            found += [one.strip().lower() for one in page]
            if len(page) < PAGE:
                return found

    def add(self, remote: RemoteAudience, batch: Batch) -> Outcome:
        """Add people to a segment; whom the list does not know becomes a member where asked."""
        addresses = batch.rows.column(ADDRESS).to_pylist()
        missing = self._changed(remote, addresses, ())
        unknown = [place for place, one in enumerate(addresses) if one in missing]
        rejected: list[int] = []
        if unknown and self._new_members is not None:
            rejected = self._subscribed(batch.rows, unknown)
            new = [addresses[place] for place in unknown if place not in set(rejected)]
            missing = self._changed(remote, new, ()) if new else set()
            unknown = [place for place in unknown if addresses[place] in missing]
        return Outcome(rejected=tuple(rejected), unknown=tuple(unknown))

    def remove(self, remote: RemoteAudience, batch: Batch) -> Outcome:
        """Take people out of a segment; they stay on the list as they are."""
        self._changed(remote, (), batch.rows.column(ADDRESS).to_pylist())
        return Outcome()

    def forget(self, rows: pa.Table) -> None:
        """Delete people from the list for good: they cannot be brought back by the API."""
        for address in rows.column(ADDRESS).to_pylist():
            digest = hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()
            self._asked(
                "POST", f"members/{digest}/actions/delete-permanent", None, _done, may_miss=True
            )

    def _changed(
        self, remote: RemoteAudience, added: Sequence[str], removed: Sequence[str]
    ) -> set[str]:
        """Add and remove members of a segment; return which addresses the list does not know."""
        body = {"members_to_add": list(added), "members_to_remove": list(removed)}
        return set(self._asked("POST", f"segments/{remote.id}", body, _missing))

    def _subscribed(self, rows: pa.Table, places: Sequence[int]) -> list[int]:
        """Make members of some rows; return the places of those that are refused."""
        listed = rows.take(pa.array(places)).to_pylist()
        members = []
        for one in listed:
            fields = {name: _clipped(one[name]) for name in LAYOUT.details if one.get(name)}
            member = {"email_address": one[ADDRESS], "status": self._new_members}
            members.append({**member, "merge_fields": fields} if fields else member)
        body = {"members": members, "update_existing": False}
        refused = self._asked("POST", "?skip_merge_validation=true", body, _refused)
        return [place for place, one in zip(places, listed, strict=True) if one[ADDRESS] in refused]

    def _root(self) -> tuple[str, str]:
        """Return where the list is, and the key."""
        key = self._key.reveal()
        base_url = self._base_url
        if base_url is None:
            _, dash, center = key.rpartition("-")
            if not dash or not re.fullmatch(r"[a-z]{2,4}[0-9]{1,3}", center):
                raise ConfigError(
                    "the key does not end in a data center, such as -us6",
                    remedy=("pass the whole key, or where the API is with ", Option("base_url")),
                )
            base_url = f"https://{center}.api.mailchimp.com"
        return f"{base_url}/{VERSION}/lists/{self._list}", key

    def _asked(
        self,
        method: str,
        path: str,
        body: Any,
        read: Callable[[Any], Any],
        after_loss: Callable[[], Any] | None = None,
        *,
        may_miss: bool = False,
    ) -> Any:
        root, key = self._root()
        if self.transport is None:
            self.transport = HttpTransport(self.concurrency)
        token = base64.b64encode(f"ordercycle:{key}".encode()).decode()
        headers = {"Authorization": f"Basic {token}"}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        url = f"{root}{'' if path.startswith('?') else '/'}{path}"

        def judge(answer: Answer) -> Any:
            if may_miss and answer.status in (NOT_FOUND, NOT_ALLOWED):
                return read({})
            return judged(answer, read)

        return asked(VENDOR, self.transport, judge, (method, url, headers, content),
                     after_loss=after_loss)  # fmt: skip


def judged(answer: Answer, read: Callable[[Any], Any]) -> Any:
    """Return what an answer means."""
    found = answer.json()
    if answer.status == OK and found is not None:
        return read(found)
    if answer.status == NO_CONTENT:
        return read({})
    # Under a heavy load there is a bare 403 that no JSON explains.
    is_load = answer.status == THROTTLED or (answer.status == FORBIDDEN and found is None)
    if is_load or answer.status >= SERVER_ERROR:
        retry = answer.headers.get("retry-after", "")
        return Again(float(retry) if retry.isdigit() else None)
    why = {
        401: "the key is not valid, or no longer",
        403: "the key may not do this",
        404: "there is no such list or segment",
    }
    if found is None or answer.status < 400:
        return _senseless(answer.status)
    return SyncError(
        f"{VENDOR}: {why.get(answer.status, 'the request is refused')} (HTTP {answer.status})",
        remedy="put that right and call again: what is done stays done",
        code=answer.status,
    )


def _senseless(status: int = OK) -> SyncError:
    return SyncError(
        f"{VENDOR} gives an answer that makes no sense (HTTP {status})",
        remedy="look whether base_url leads to it, and call again: what is done stays done",
    )


def _segments(found: Any) -> Any:
    listed = found.get("segments") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        return _senseless()
    for one in listed:
        if not isinstance(one, dict) or not isinstance(one.get("id"), int):
            return _senseless()
        if not isinstance(one.get("name"), str):
            return _senseless()
    return listed


def _members(found: Any) -> Any:
    listed = found.get("members") if isinstance(found, dict) else None
    if not isinstance(listed, list):
        return _senseless()
    addresses = [one.get("email_address") if isinstance(one, dict) else None for one in listed]
    return addresses if all(isinstance(one, str) for one in addresses) else _senseless()


def _missing(found: Any) -> Any:
    """Return the addresses that errors are about."""
    errors = found.get("errors", []) if isinstance(found, dict) else None
    if not isinstance(errors, list) or "total_added" not in found:
        return _senseless()
    addresses: list[str] = []
    for one in errors:
        listed = one.get("email_addresses") if isinstance(one, dict) else None
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            return _senseless()
        addresses += [each.strip().lower() for each in listed]
    return addresses


def _refused(found: Any) -> Any:
    """Return the addresses that did not become members; who is one already is none of them."""
    errors = found.get("errors") if isinstance(found, dict) else None
    if not isinstance(errors, list):
        return _senseless()
    addresses = set()
    for one in errors:
        if not isinstance(one, dict) or not isinstance(one.get("email_address"), str):
            return _senseless()
        if one.get("error_code") != "ERROR_CONTACT_EXISTS":
            addresses.add(one["email_address"].strip().lower())
    return addresses


def _done(_found: Any) -> bool:
    return True


def _clipped(text: str) -> str:
    """Return as much of a text as a merge field holds, no character of it cut."""
    return text.encode()[:MERGE_BYTES].decode(errors="ignore")


@public("ordercycle.connect")
class Mailchimp:
    """A list of Mailchimp's, whose static segments audiences are synced with.

    A sync changes nobody's subscription: those whom the list knows enter and leave a segment of the
    audience's name. Needs the extra ``sync``.

    Parameters
    ----------
    list
        The id of the list.
    key
        The API key: :func:`ordercycle.env` of its variable, a callable that returns it, or text. It
        is never part of a URL, a log, an error or a file.
    base_url
        Where the API is; None: as the key says.
    new_members
        What becomes of people whom the list does not know: None counts them; ``"subscribed"`` and
        ``"pending"`` (a message asks them first) make members of them, which needs contacts with a
        column of consent.

    Raises
    ------
    ConfigError
        An argument makes no sense.

    Examples
    --------
    >>> import ordercycle as oc
    >>> Mailchimp(list="a1b2c3", key=oc.env("MAILCHIMP_KEY"))
    Mailchimp(list='a1b2c3', key=env('MAILCHIMP_KEY'), new_members=None)
    """

    def __init__(
        self,
        list: str,  # noqa: A002 - what the vendor calls it
        key: Any,
        base_url: str | None = None,
        new_members: str | None = None,
    ) -> None:
        if not isinstance(list, str) or not re.fullmatch(r"[A-Za-z0-9]+", list):
            raise ConfigError(
                (Option("list", list), " is no id of a list"),
                remedy="pass the one of its settings",
            )
        if new_members is not None and new_members not in NEW_MEMBERS:
            raise ConfigError(
                (Option("new_members", new_members), " is nothing that becomes of them"),
                remedy=f"choose from {', '.join(map(repr, NEW_MEMBERS))}, or None",
            )
        self.list = list
        self.base_url = None if base_url is None else checked_url(base_url)
        self.new_members = new_members
        self._key = secret_of("key", key)
        self._connection = MailchimpConnection(list, self._key, self.base_url, new_members)

    def __repr__(self) -> str:
        shown = {"list": self.list, "key": self._key, "new_members": self.new_members}
        return f"Mailchimp({', '.join(f'{name}={value!r}' for name, value in shown.items())})"
