"""Meta's custom audiences, over the Marketing API."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa

from ordercycle._errors import ConfigError, Option, SyncError
from ordercycle._public import public
from ordercycle._sync.connection import Batch, Layout, Outcome, RemoteAudience
from ordercycle._sync.credentials import Secret, secret_of
from ordercycle._sync.digests import hexadecimal_or_empty
from ordercycle._sync.transport import (
    SERVER_ERROR,
    Again,
    Answer,
    HttpTransport,
    Transport,
    asked,
    checked_url,
)

BASE_URL = "https://graph.facebook.com"
API_VERSION = "v26.0"
VENDOR = "Meta"
#: As many as one request takes.
BATCH_ROWS = 10_000
CONCURRENCY = 4
PAGE = 500
FINE = 200

#: Codes after which a request is sent again, and those that no repetition changes.
BUSY = {1, 2, 4, 17, 341, 613, 80003}
STOPS = {
    190: "the token is not valid, or no longer",
    200: "the token may not do this, or terms have to be accepted in the account",
    294: "the token lacks the permission ads_management",
    368: "the account is blocked for a time",
    2635: "this version of the API is no longer served",
}
SUBCODES = {
    1870034: "the terms of custom audiences have to be accepted in the account",
    1870090: "the terms of value-based audiences have to be accepted in the account",
    1713230: "the list is flagged: its name hints at health or finances",
    1713232: "the list is flagged: its name hints at health or finances",
    1870144: "the list is too large to be replaced",
    1870147: "the first batch of the replacement never arrived",
}
TOO_SMALL = 1870047
REPLACING, UPDATING, TIMED_OUT, CLOSED, PARTLY = 2650, 1870145, 1870158, 1870159, 1870148
INVALID = 100
#: Ratios of look-alikes: from one to twenty in a hundred.
RATIOS = tuple(number / 100 for number in range(1, 21))
#: The headers that say how long others wait.
USAGE_HEADERS = ("x-business-use-case-usage", "x-business-use-case", "x-ad-account-usage")
MINUTE = 60.0

LAYOUT = Layout(
    ("EMAIL", "PHONE"),
    {
        "FN": "first_name",
        "LN": "last_name",
        "ZIP": "zip",
        "CT": "city",
        "ST": "state",
        "COUNTRY": "country",
        "DOBY": "born_year",
        "DOBM": "born_month",
        "DOBD": "born_day",
        "GEN": "gender",
    },
)
SOURCE = {"type": "FILE_IMPORTED", "sub_type": "MULTI_HASHES"}


class _NotTakenError(Exception):
    """A batch is refused as a whole, without saying which row is wrong."""


class MetaConnection:
    """Speaks the protocol of custom audiences for one ad account."""

    vendor = VENDOR
    target = "meta"
    layout = LAYOUT
    batch_rows = BATCH_ROWS
    concurrency = CONCURRENCY
    replaces = True
    takes_values = True

    def __init__(
        self, account: str, token: Secret, app_secret: Secret | None, version: str, base_url: str
    ) -> None:
        self._account = account
        self._token = token
        self._app_secret = app_secret
        self._root = f"{base_url}/{version}"
        self.transport: Transport | None = None
        self._sequences = _Sequences()

    @property
    def identity(self) -> str:
        """The ad account."""
        return f"meta:{self._account}"

    def check(self, *, has_consent: bool) -> None:  # noqa: ARG002 - as all connections
        """Raise a ConfigError where a secret is missing."""
        self._token.reveal()
        if self._app_secret is not None:
            self._app_secret.reveal()

    def find(self, name: str) -> RemoteAudience | None:
        """Return the custom audience of a name.

        Raises
        ------
        ConfigError
            There are several.
        """
        found: list[RemoteAudience] = []
        after = None
        while True:
            query = {"fields": "id,name,is_value_based", "limit": str(PAGE)}
            if after is not None:
                query["after"] = after
            page = self._get(f"act_{self._account}/customaudiences", query, _page)
            found += [
                RemoteAudience(one["id"], one["name"], one.get("is_value_based") is True)
                for one in page["data"]
                if one["name"] == name
            ]
            paging = page.get("paging")
            has_more = isinstance(paging, dict) and "next" in paging
            cursors = paging.get("cursors") if has_more else None
            following = cursors.get("after") if isinstance(cursors, dict) else None
            if not isinstance(following, str) or following == after or not page["data"]:
                break
            after = following
        if len(found) > 1:
            raise ConfigError(
                f"{VENDOR} has {len(found)} audiences called {name!r}",
                remedy="rename or delete all but one of them",
            )
        return found[0] if found else None

    def create(self, name: str, *, has_values: bool) -> RemoteAudience:
        """Make a custom audience."""
        form = {
            "name": name,
            "subtype": "CUSTOM",
            "customer_file_source": "USER_PROVIDED_ONLY",
        }
        if has_values:
            form["is_value_based"] = "1"
        return self._created(name, form, is_value_based=has_values)

    def lookalike(self, name: str, country: str, ratio: float) -> RemoteAudience:
        """Make an audience of people who are like those of another."""
        seed = self.find(name)
        if seed is None:
            raise ConfigError(f"{VENDOR} has no audience called {name!r}", remedy="sync it before")
        spec: dict[str, Any] = {"ratio": ratio, "country": country}
        if seed.is_value_based:
            spec["type"] = "custom_ratio"
        form = {
            "name": f"{name} (look-alike, {country}, {ratio:.0%})",
            "subtype": "LOOKALIKE",
            "origin_audience_id": seed.id,
            "lookalike_spec": json.dumps(spec),
        }
        there = self.find(form["name"])
        return there or self._created(form["name"], form, is_value_based=False)

    def _created(self, name: str, form: dict[str, str], *, is_value_based: bool) -> RemoteAudience:
        def made(answer: dict[str, Any]) -> Any:
            found = answer.get("id")
            if not isinstance(found, str) or not found.isdigit():
                return _senseless()
            return RemoteAudience(found, name, is_value_based)

        created: RemoteAudience = self._post(
            f"act_{self._account}/customaudiences", form, made, after_loss=lambda: self.find(name)
        )
        return created

    def present(self, remote: RemoteAudience) -> Sequence[str]:
        """Return nobody: who is on a list cannot be read."""
        raise NotImplementedError(remote)

    def add(self, remote: RemoteAudience, batch: Batch) -> Outcome:
        """Add rows to an audience, or replace what is there by them."""
        endpoint = "usersreplace" if batch.replaces and not batch.is_expired else "users"
        try:
            return self._sent(remote, batch, endpoint, batch.rows, batch.sequence)
        except _NotTakenError:
            return self._halved(remote, batch, endpoint, batch.rows, 0)

    def remove(self, remote: RemoteAudience, batch: Batch) -> Outcome:
        """Take rows off an audience."""
        rows = batch.rows.select(list(self.layout.identifiers))
        try:
            return self._sent(remote, batch, "users", rows, batch.sequence, method="DELETE")
        except _NotTakenError:
            return self._halved(remote, batch, "users", rows, 0, method="DELETE")

    def forget(self, rows: pa.Table) -> None:
        """Remove people from all audiences of the account."""
        for start in range(0, rows.num_rows, BATCH_ROWS):
            part = rows.slice(start, BATCH_ROWS).select(list(self.layout.identifiers))
            payload = _payload(part)
            form = {"method": "DELETE", "payload": json.dumps(payload)}
            read = partial(_received, payload["data"])
            self._post(f"act_{self._account}/usersofanyaudience", form, read)

    def _halved(
        self,
        remote: RemoteAudience,
        batch: Batch,
        endpoint: str,
        rows: pa.Table,
        first: int,
        method: str | None = None,
    ) -> Outcome:
        """Send halves of what is refused as a whole, down to the rows that are."""
        if rows.num_rows == 1:
            return Outcome(rejected=(first,))
        middle = rows.num_rows // 2
        rejected: list[int] = []
        invalid = 0
        for start, part in ((0, rows.slice(0, middle)), (middle, rows.slice(middle))):
            sequence = self._sequences.following(batch.session, batch.batches)
            try:
                found = self._sent(remote, batch, endpoint, part, sequence, method=method)
                rejected += [first + start + one for one in found.rejected]
            except _NotTakenError:
                found = self._halved(remote, batch, endpoint, part, first + start, method)
                rejected += found.rejected
            invalid += found.invalid
        return Outcome(rejected=tuple(rejected), invalid=invalid)

    def _sent(
        self,
        remote: RemoteAudience,
        batch: Batch,
        endpoint: str,
        rows: pa.Table,
        sequence: int,
        method: str | None = None,
    ) -> Outcome:
        session = {
            "session_id": batch.session,
            "batch_seq": sequence,
            "last_batch_flag": batch.is_last and rows.num_rows == batch.rows.num_rows,
            "estimated_num_total": batch.total,
        }
        payload = _payload(rows)
        form = {"payload": json.dumps(payload), "session": json.dumps(session)}
        if method is not None:
            form["method"] = method
        read = partial(_received, payload["data"])
        found: Outcome = self._post(f"{remote.id}/{endpoint}", form, read)
        return found

    def _get(self, path: str, query: dict[str, str], read: Callable[[Any], Any]) -> Any:
        token = self._token.reveal()
        query = {**query, **self._proof(token)}
        url = f"{self._root}/{path}?{urlencode(query)}"
        headers = {"Authorization": f"Bearer {token}"}
        return self._asked(("GET", url, headers, None), read)

    def _post(
        self,
        path: str,
        form: dict[str, str],
        read: Callable[[Any], Any],
        after_loss: Callable[[], Any] | None = None,
    ) -> Any:
        token = self._token.reveal()
        body = urlencode({**form, "access_token": token, **self._proof(token)}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = ("POST", f"{self._root}/{path}", headers, body)
        return self._asked(request, read, after_loss)

    def _proof(self, token: str) -> dict[str, str]:
        if self._app_secret is None:
            return {}
        secret = self._app_secret.reveal().encode()
        return {"appsecret_proof": hmac.new(secret, token.encode(), hashlib.sha256).hexdigest()}

    def _asked(
        self,
        request: tuple[str, str, dict[str, str], bytes | None],
        read: Callable[[Any], Any],
        after_loss: Callable[[], Any] | None = None,
    ) -> Any:
        if self.transport is None:
            self.transport = HttpTransport(self.concurrency)

        def judge(answer: Answer) -> Any:
            return judged(answer, read)

        return asked(VENDOR, self.transport, judge, request, after_loss=after_loss)


class _Sequences:
    """Numbers of batches that come on top of those planned: a session has each once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[int, int] = {}

    def following(self, session: int, planned: int) -> int:
        """Return the next number of a session."""
        with self._lock:
            self._last[session] = self._last.get(session, planned) + 1
            return self._last[session]


def _payload(rows: pa.Table) -> dict[str, Any]:
    """Return rows as the API takes them: texts in hexadecimal digits, "" where there is none."""
    columns: list[list[Any]] = []
    for name in rows.column_names:
        column = rows.column(name)
        if pa.types.is_floating(column.type):
            columns.append(column.to_pylist())
        else:
            columns.append(hexadecimal_or_empty(column))
    return {
        "schema": list(rows.column_names),
        "data": [list(row) for row in zip(*columns, strict=True)],
        "is_raw": True,
        "data_source": SOURCE,
    }


def _page(found: Any) -> Any:
    data = found.get("data")
    if not isinstance(data, list):
        return _senseless()
    for one in data:
        if not isinstance(one, dict) or not isinstance(one.get("id"), str):
            return _senseless()
        if not isinstance(one.get("name"), str):
            return _senseless()
    return found


def _received(rows: list[list[Any]], found: Any) -> Any:
    """Return what became of rows: how many were not taken, and which, of up to a hundred."""
    invalid = found.get("num_invalid_entries", 0)
    if "session_id" not in found and "num_received" not in found and "success" not in found:
        return _senseless()
    if isinstance(invalid, bool) or not isinstance(invalid, int) or invalid < 0:
        return _senseless()
    rejected = _places_of(found.get("invalid_entry_samples"), rows) if invalid else ()
    return Outcome(rejected=rejected, invalid=max(invalid - len(rejected), 0))


def _places_of(samples: Any, rows: list[list[Any]]) -> tuple[int, ...]:
    """Return where rows are that an answer repeats: a list of them, or a table of reasons by row.

    What is none of the rows is passed over: only their number is binding.
    """
    given = {json.dumps(row) for row in map(_row_of, _entries(samples)) if row is not None}
    if not given:
        return ()
    return tuple(place for place, row in enumerate(rows) if json.dumps(row) in given)


def _entries(samples: Any) -> Iterator[Any]:
    if isinstance(samples, dict):
        yield from samples
    elif isinstance(samples, list):
        for one in samples:
            yield from one if isinstance(one, dict) else (one,)


def _row_of(entry: Any) -> Any:
    if not isinstance(entry, str):
        return entry
    try:
        return json.loads(entry)
    except (ValueError, RecursionError):
        return None


def judged(answer: Answer, read: Callable[[Any], Any]) -> Any:
    """Return what an answer means: for the rules, see `STOPS` and its neighbours."""
    found = answer.json()
    error = found.get("error") if isinstance(found, dict) else None
    if answer.status == FINE and isinstance(found, dict) and error is None:
        return read(found)
    if not isinstance(error, dict):
        if answer.status >= SERVER_ERROR or answer.status == 429:
            return Again(_usage_wait(answer))
        return _senseless(answer.status)
    return _of_error(answer, error)


def _of_error(answer: Answer, error: dict[str, Any]) -> Any:
    code, subcode = _number(error.get("code")), _number(error.get("error_subcode"))
    if code == REPLACING:
        return _of_replacement(answer, subcode)
    if subcode == TOO_SMALL:
        return Outcome(refused=True)
    is_transient = error.get("is_transient") is True or answer.status >= SERVER_ERROR
    if code in BUSY or (is_transient and code not in STOPS):
        return Again(_usage_wait(answer))
    if code == INVALID and not subcode:
        raise _NotTakenError
    return _stopped(answer, code, subcode, error)


def _of_replacement(answer: Answer, subcode: int) -> Any:
    if subcode in (UPDATING, PARTLY):
        return Again(_usage_wait(answer), "is still updating the list")
    if subcode == CLOSED:  # every batch has arrived
        return Outcome()
    return _stopped(answer, REPLACING, subcode, {})


def _stopped(answer: Answer, code: int, subcode: int, error: dict[str, Any]) -> SyncError:
    """Return an error of codes alone: what the vendor writes may hold what it was sent."""
    why = SUBCODES.get(subcode) or STOPS.get(code) or "the request is refused"
    trace = error.get("fbtrace_id")
    is_plain = isinstance(trace, str) and trace.isalnum() and len(trace) < 64
    shown = f", trace {trace}" if is_plain else ""
    codes = f"code {code}" + (f"/{subcode}" if subcode else "")
    return SyncError(
        f"{VENDOR}: {why} ({codes}, HTTP {answer.status}{shown})",
        remedy="put that right and call again: what is done stays done",
        code=code,
        subcode=subcode or None,
    )


def _senseless(status: int = FINE) -> SyncError:
    return SyncError(
        f"{VENDOR} gives an answer that makes no sense (HTTP {status})",
        remedy="look whether base_url leads to it, and call again: what is done stays done",
    )


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _usage_wait(answer: Answer) -> float | None:
    """Return how long to wait, as the headers say: minutes, or seconds."""
    waits: list[float] = []
    retry = answer.headers.get("retry-after", "")
    if retry.isdigit():
        waits.append(float(retry))
    for name in USAGE_HEADERS:
        try:
            _collect(json.loads(answer.headers.get(name, "null")), waits)
        except ValueError:
            continue
    waits = [one for one in waits if one > 0]
    return max(waits) if waits else None


def _collect(found: Any, waits: list[float]) -> None:
    if isinstance(found, list):
        for one in found:
            _collect(one, waits)
    elif isinstance(found, dict):
        for name, one in found.items():
            is_number = isinstance(one, int | float) and not isinstance(one, bool)
            if name == "estimated_time_to_regain_access" and is_number:
                waits.append(one * MINUTE)
            elif name == "reset_time_duration" and is_number:
                waits.append(float(one))
            elif isinstance(one, list | dict):
                _collect(one, waits)


@public("ordercycle.connect")
class Meta:
    """An ad account of Meta's, whose custom audiences lists are synced with.

    Needs the extra ``sync``.

    Parameters
    ----------
    account
        The number of the ad account, with or without ``act_``.
    token
        The access token: :func:`ordercycle.env` of its variable, a callable that returns it, or
        text. It is never part of a URL, a log, an error or a file.
    app_secret
        The app's secret, where the app asks for a proof of it with each request.
    api_version
        Of the Marketing API.
    base_url
        Where it is: https, or a server of this machine.

    Raises
    ------
    ConfigError
        The account, the version or `base_url` makes no sense, or the token is none.

    Examples
    --------
    >>> import ordercycle as oc
    >>> Meta(account="act_123", token=oc.env("META_TOKEN"))
    Meta(account='123', token=env('META_TOKEN'), api_version='v26.0')
    """

    def __init__(
        self,
        account: str,
        token: Any,
        app_secret: Any = None,
        api_version: str = API_VERSION,
        base_url: str = BASE_URL,
    ) -> None:
        number = str(account).removeprefix("act_")
        if not (number.isascii() and number.isdigit()):
            raise ConfigError(
                (Option("account", account), " is no ad account"), remedy="pass its number"
            )
        version = api_version if isinstance(api_version, str) else ""
        whole, point, part = version.removeprefix("v").partition(".")
        if not (version.startswith("v") and whole.isdigit() and point and part.isdigit()):
            raise ConfigError(
                (Option("api_version", api_version), " is no version"),
                remedy=f"pass one such as {API_VERSION!r}",
            )
        self.account = number
        self.api_version = version
        self.base_url = checked_url(base_url)
        self._token = secret_of("token", token)
        secret = None if app_secret is None else secret_of("app_secret", app_secret)
        self._connection = MetaConnection(number, self._token, secret, version, self.base_url)

    def lookalike(self, audience: str, country: str, ratio: float = 0.01) -> RemoteAudience:
        """Make an audience of people who are like those of another, once.

        Where the other one has values, those who are worth more count more.

        Parameters
        ----------
        audience
            The name of the other one, of at least 100 people.
        country
            Where to look: a code of two letters.
        ratio
            The share of the country's people: 0.01 to 0.20.

        Returns
        -------
        RemoteAudience
            With its id; the one that is there already where there is one of this name.

        Raises
        ------
        ConfigError
            There is no such audience, or a number or code makes no sense.
        SyncError
            The vendor refuses, or does not answer.
        """
        if not (isinstance(country, str) and len(country) == 2 and country.isalpha()):
            raise ConfigError(
                (Option("country", country), " is no country"), remedy="pass two letters: 'ES'"
            )
        near = next((one for one in RATIOS if abs(one - ratio) < 1e-9), None)
        if near is None:
            raise ConfigError(
                (Option("ratio", ratio), " is no ratio"),
                remedy="pass 0.01 to 0.20, in hundredths",
            )
        self._connection.check(has_consent=False)
        return self._connection.lookalike(audience, country.upper(), near)

    def __repr__(self) -> str:
        shown = {"account": self.account, "token": self._token, "api_version": self.api_version}
        return f"Meta({', '.join(f'{name}={value!r}' for name, value in shown.items())})"
