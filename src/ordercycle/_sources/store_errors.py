"""What a store says when it cannot be read: the reason in a line, what to do, and no secrets."""

from __future__ import annotations

import re
from urllib.parse import unquote

from ordercycle._errors import Option, Text

#: A URI within a text.
WITHIN_TEXT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s'\"<>]+")
#: Numbers of a request, which only the store's own people can look up.
REQUEST = re.compile(r"\s*\((?:Request|Host) ID: [^)]*\)|Request ID: \S+")
#: Options of a URI whose values are no secrets; of all others the values are hidden.
HARMLESS = {"region", "scheme", "endpoint_override", "force_virtual_addressing", "replication"}
#: Schemes in which a container or a user, who are no secrets, stand before the host.
NAMED_USERS = ("abfs", "abfss", "hdfs", "viewfs", "sftp", "ssh", "smb", "ftp", "webhdfs")
HIDDEN = "***"
#: Shorter pieces of a URI are not looked for in other texts.
LEAST_SECRET = 4

#: What reasons look like, and what to do; the first that is found.
WRONG_REGION = r"PermanentRedirect|HTTP status 301|AUTHORIZATION_HEADER_MALFORMED|wrong region"
REFUSED = (
    r"(?i)access[ _]?denied|\b40[13]\b|forbidden|unauthori[sz]ed|signature|access key|credentials"
    r"|permission"
)
NO_BUCKET = r"(?i)no[ _]?such[ _]?bucket|bucket does not exist|bucket not found"
NOT_THERE = r"(?i)not exist|not found|no such|\b404\b|NoSuchKey"
BROKEN = (
    r"(?i)network|curl|time[ds]? ?out|connect|resolve|slow_?down|\b50[0-9]\b|payload|incomplete"
    r"|internal_failure|unavailable|reset"
)
FROM_THE_BEGINNING = r"range requests"
REMEDIES: tuple[tuple[str, Text], ...] = (
    (FROM_THE_BEGINNING, "download it, and pass the path"),
    (
        WRONG_REGION,
        (
            "the bucket is in another region: add ?region=... to the URI, or pass ",
            Option("filesystem"),
        ),
    ),
    (
        REFUSED,
        (
            "give it a key that may read this, in the environment, or pass ",
            Option("filesystem"),
            " made with one",
        ),
    ),
    (NO_BUCKET, "look at the name of the bucket"),
    (NOT_THERE, "look at the path, or leave it out"),
    (BROKEN, "look at the connection and the address, and run it again"),
)


def cause(error: BaseException, uri: str) -> BaseException | None:
    """Return what an error is shown with: nothing that might show the keys of a URI."""
    return None if _secrets(uri) else error


def explained(error: BaseException, *uris: str) -> tuple[str, Text | None]:
    """Return the reason that an error gives, in one line without secrets, and what to do.

    uris: whose keys are looked for in the reason.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ""
    if isinstance(error, OSError) and error.strerror and text.startswith("[Errno"):
        text = error.strerror
    text = REQUEST.sub("", text).removesuffix(".") or type(error).__name__
    for secret in sorted({one for uri in uris for one in _secrets(uri)}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = WITHIN_TEXT.sub(lambda match: redacted(match[0]), text)
    kind = f"{type(error).__name__}: {text}"
    remedy = next((remedy for sign, remedy in REMEDIES if re.search(sign, kind)), None)
    return text, remedy


def redacted(uri: str) -> str:
    """Return a URI without the keys in it.

    Examples
    --------
    >>> redacted("s3://KEY:secret@shop/orders?region=eu-west-1")
    's3://shop/orders?region=eu-west-1'
    >>> redacted("https://example.com/orders.csv?signature=abc")
    'https://example.com/orders.csv?signature=***'
    """
    before, user, after = _divided(uri)
    name = user.partition(":")[0]
    user = f"{name}@" if name and before.rstrip("/:").lower() in NAMED_USERS else ""
    path, mark, query = after.partition("?")
    if "=" not in query:  # a wildcard of a pattern
        return f"{before}{user}{after}"
    options = (option.partition("=") for option in query.split("&"))
    shown = (f"{key}={value if key in HARMLESS else HIDDEN}" for key, _, value in options)
    return f"{before}{user}{path}{mark}{'&'.join(shown)}"


def has_slash_in_key(uri: str) -> bool:
    """Return whether what stands before the host of a URI goes on after a slash."""
    return "/" in _divided(uri)[1]


def _divided(uri: str) -> tuple[str, str, str]:
    """Return a URI up to its user, the user with the key, and what comes after them."""
    scheme, mark, rest = uri.partition("://")
    if not mark:
        return "", "", uri
    authority = rest.partition("/")[0]
    end = authority.rfind("@")
    if end < 0 and ":" in authority and not authority.rpartition(":")[2].isdigit():
        end = rest.rfind("@")  # a key with a slash in it
    return f"{scheme}://", rest[:end] if end >= 0 else "", rest[end + 1 :]


def _secrets(uri: str) -> set[str]:
    """Return the keys in a URI, as they stand there and as they are meant."""
    _, user, after = _divided(uri)
    found = set(user.partition(":")[::2]) if user else set()
    for option in after.partition("?")[2].split("&"):
        key, _, value = option.partition("=")
        if key not in HARMLESS:
            found.add(value)
    found |= {unquote(one) for one in found}
    return {one for one in found if len(one) >= LEAST_SECRET}
