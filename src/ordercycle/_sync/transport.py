"""Requests and answers, and how often they are tried: what all vendors' protocols stand on."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from ordercycle._errors import ConfigError, Option, SyncError

#: Longest answer that is read: none that makes sense is longer.
MOST_ANSWER_BYTES = 2**26
TIMEOUT_SECONDS = 120.0
CONNECT_SECONDS = 20.0
#: Requests that are tried so often, with waits that double up to the longest one.
ATTEMPTS = 8
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1.0, 300.0
#: Waits that are told of as a warning: whoever watches would take them for a hang.
LONG_WAIT_SECONDS = 5.0
SERVER_ERROR = 500

LOGGER = logging.getLogger("ordercycle")

#: What waits; tests do not.
pause: Callable[[float], None] = time.sleep


class Answer(NamedTuple):
    """What came back: headers by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return what the body holds; None where it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class LostAnswerError(Exception):
    """A request may or may not have arrived: no answer did."""


class Transport(Protocol):
    """Sends a request and returns the answer; raises LostAnswerError where there is none."""

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send a request."""
        ...


class HttpTransport:
    """Requests over urllib3: certificates are checked, redirects not followed."""

    def __init__(self, connections: int) -> None:
        urllib3 = _urllib3()
        self._errors = urllib3.exceptions.HTTPError
        self._options: dict[str, Any] = {
            "maxsize": connections,
            "block": True,
            "retries": False,
            "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=TIMEOUT_SECONDS),
        }
        self._urllib3 = urllib3
        self._pools: dict[bool, Any] = {}

    def _pool(self, url: str) -> Any:
        from urllib.request import getproxies

        is_local = is_loopback(urlsplit(url).hostname or "")
        if is_local not in self._pools:
            proxy = None if is_local else getproxies().get("https")
            if proxy:
                made = self._urllib3.ProxyManager(proxy, **self._options)
            else:
                made = self._urllib3.PoolManager(**self._options)
            self._pools[is_local] = made
        return self._pools[is_local]

    def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Send a request, as `Transport` says."""
        try:
            found = self._pool(url).request(
                method, url, body=body, headers=dict(headers), redirect=False,
                preload_content=False,
            )  # fmt: skip
            try:
                content = found.read(MOST_ANSWER_BYTES + 1, decode_content=True)
            finally:
                found.release_conn()
        except (self._errors, OSError):
            # Neither its text nor its traceback: both may hold what was sent.
            raise LostAnswerError from None
        if len(content) > MOST_ANSWER_BYTES:
            raise LostAnswerError
        names = {name.lower(): value for name, value in found.headers.items()}
        return Answer(found.status, names, content)


def _urllib3() -> Any:
    try:
        import urllib3
    except ImportError:
        raise ConfigError(
            "urllib3 is not installed, which requests to vendors go through",
            remedy='install "ordercycle[sync]"',
        ) from None
    return urllib3


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def checked_url(given: Any) -> str:
    """Return where a vendor is, or raise a ConfigError where what is sent there could be read."""
    try:
        found = urlsplit(given)
        host, _ = found.hostname or "", found.port
    except (ValueError, TypeError, AttributeError):
        host, found = "", urlsplit("")
    is_safe = found.scheme == "https" or (found.scheme == "http" and is_loopback(host))
    is_plain = str(given).isprintable() and " " not in str(given)
    if not (host and is_safe and is_plain) or found.query or found.fragment or found.username:
        raise ConfigError(
            (Option("base_url"), " is neither https nor of this machine"),
            remedy="pass one that begins with https:// and has no user, query or fragment",
        )
    return str(given).rstrip("/")


@dataclass(frozen=True)
class Again:
    """An answer after which a request is sent again, in so many seconds if the vendor says."""

    seconds: float | None = None
    why: str = "is busy"


#: Says what an answer means: what it holds, that it is asked again, or an error to raise.
Judge = Callable[[Answer], Any]


def asked(
    vendor: str,
    transport: Transport,
    judge: Judge,
    request: tuple[str, str, Mapping[str, str], bytes | None],
    *,
    after_loss: Callable[[], Any] | None = None,
) -> Any:
    """Send a request until there is an answer that says something; return that.

    after_loss: asked before a request is sent again whose answer was lost; what it returns, if it
    is something, stands for the answer.

    Raises
    ------
    SyncError
        There is none, however often it is sent, or it says that there will be none.
    """
    wait, why = FIRST_WAIT_SECONDS, "does not answer"
    for attempt in range(ATTEMPTS):
        hint: float | None = None
        try:
            verdict = judge(transport.send(*request))
        except LostAnswerError:
            why = "does not answer"
            if after_loss is not None and (found := after_loss()) is not None:
                return found
        else:
            if isinstance(verdict, SyncError):
                raise verdict
            if not isinstance(verdict, Again):
                return verdict
            hint, why = verdict.seconds, verdict.why
        if attempt + 1 < ATTEMPTS:
            jitter = 0.75 + random.random() / 2  # noqa: S311 - no secret
            seconds = min(wait * jitter if hint is None else hint, LONGEST_WAIT_SECONDS)
            level = logging.WARNING if seconds >= LONG_WAIT_SECONDS else logging.INFO
            follows = f"request {attempt + 2} of {ATTEMPTS} follows in {seconds:.0f} s"
            if LOGGER.hasHandlers():  # without any, Python itself would print it on stderr
                LOGGER.log(level, "%s %s; %s", vendor, why, follows)
            pause(seconds)
            wait *= 2
    raise SyncError(
        f"{vendor} {why}, after {ATTEMPTS} requests",
        remedy="call again later: what is done stays done",
    )
