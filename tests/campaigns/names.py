"""Hostile names in every place where users have names, through every output.

Ids, segments, columns, campaigns, titles and paths hold control characters, markup, formulas,
quotes, and characters that turn text round. Outputs are looked at as their readers would: a
terminal, a browser, a spreadsheet, a program that reads CSV, TOML or JSON.
"""

import csv
import io
import json
import re
import tomllib
from contextlib import contextmanager
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from click.testing import CliRunner

import ordercycle as oc
from campaigns.runner import Campaign, FaultError
from ordercycle._cli.app import cli

PIECES = (
    "\x1b]0;title\x07", "\x1b[2J", "\r", "\n", "\t", "\x00", "\x7f", "\x85", "\x9b31m",
    "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\u2029", "\u0301", "\U000e0041",
    "<script>alert(1)</script>", "</script>", "<!--", "-->", "<img src=x onerror=alert(1)>",
    "&lt;", "&", '"', "'", "`", "${x}", "{{x}}", "javascript:alert(1)", "]]>", "</style>",
    "</title>", '=HYPERLINK("http://x")', "@SUM(1)", "+1", "-1", "=1+1", "|calc", "\t=1",
    "\uff1d1", "\ufe661", "\u3164=1", "\u115f=1", "\u2800=1", "\u034f=1", "%00",
    "'; drop table x; --", ",", ";", "\\", "\\n", "../../etc/passwd", "/", "#", "[x]", "a = 1",
    "\U0001f9fa", "\u00e9", "name", "(none)", "All Customers", "null", "NaN", "", " ",
)  # fmt: skip
AS_OF = date(2026, 6, 1)
#: What a spreadsheet takes for the beginning of a formula.
FORMULA = re.compile(
    r"[\s\0\ufeff\u3164\u115f\u2800\u034f]*[=+\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]"
)
#: Attributes whose scripts are run; a box may have any value.
ADDRESSES = frozenset(
    {"action", "background", "cite", "content", "data", "formaction", "href", "manifest", "ping"}
    | {"poster", "src", "srcset", "xlink:href"}
)
MARK = "zq7"
#: Their sum is no 64-bit integer.
LARGE = pa.array([2**62, 2**62 + 2**61] * 2)


def hostile(random):
    """Return a name of several pieces, with a mark by which it is found again."""
    pieces = random.choices(PIECES, k=random.randint(1, 3))
    pieces.insert(random.randrange(len(pieces) + 1), MARK)
    return "".join(pieces)


class Page(HTMLParser):
    """Collects what a browser would run, and how elements nest."""

    def __init__(self):
        super().__init__()
        self.scripts = []
        self.odd = []
        self._in_script = False

    def handle_starttag(self, tag, attrs):
        self._in_script = tag == "script"
        if self._in_script:
            self.scripts.append("")
        for name, value in attrs:
            is_address = name in ADDRESSES and "javascript:" in (value or "").lower()
            if name.startswith("on") or name == "srcdoc" or is_address:
                self.odd.append(f"<{tag} {name}={value!r}>")
        if tag == "img":
            self.odd.append(f"<{tag}>")

    def handle_endtag(self, tag):
        self._in_script = self._in_script and tag != "script"

    def handle_data(self, data):
        if self._in_script:
            self.scripts[-1] += data


def check_terminal(what, text):
    """Refuse characters that do something to a terminal, or to the text beside them."""
    odd = {one for one in text if not one.isprintable() and one != "\n"}
    if odd:
        raise FaultError(f"{what}: {sorted(odd)!r} in {text[:300]!r}")


def check_page(what, text, plain):
    """Refuse scripts and handlers that the page of plain names does not have."""
    pages = []
    for one in (text, plain):
        page = Page()
        page.feed(one)
        page.close()
        pages.append(page)
    found, wanted = pages
    if len(found.scripts) != len(wanted.scripts) or found.odd != wanted.odd:
        raise FaultError(
            f"{what}: {len(found.scripts)} scripts where {len(wanted.scripts)} should be; "
            f"{found.odd[:3]}"
        )


def check_csv(what, data):
    """Refuse cells that a spreadsheet would run, and rows of another number of cells."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    for row in rows:
        if len(row) != len(rows[0]):
            raise FaultError(
                f"{what}: a row of {len(row)} cells, where the head has {len(rows[0])}"
            )
        for cell in row:
            if MARK in cell and FORMULA.match(cell):
                raise FaultError(f"{what}: a formula, {cell!r}")


def orders(ids):
    """Return orders of some customers."""
    rows = [
        (one, date(2026, month, 1 + place)) for place, one in enumerate(ids) for month in (1, 3)
    ]
    return pa.table(
        {
            "customer_id": [one for one, _ in rows],
            "ordered_at": [day for _, day in rows],
            "amount": [10.0] * len(rows),
        }
    )


@contextmanager
def state(folder: Path):
    """Make the page of plain names, which others are compared with."""
    yield folder, _page(["Buys", "Rest"], "title", "EUR", folder)


def _page(names, title, currency, folder):
    history = oc.OrderHistory.build(orders(["a", "b"]))
    path = folder / "page.html"
    _report(history, names).to_html(path, title=title, currency=currency)
    return path.read_text(encoding="utf-8")


def _rules(names):
    return oc.Rules({names[0]: "orders >= 2", names[1]: "true"})


def _report(history, names):
    membership = _rules(names).membership(history, every="month")
    return oc.SegmentReport.build(history, membership, period="2026-03", compare=None)


def trial(random, state, totals):
    """Send names through one output."""
    output = random.choice(list(OUTPUTS))
    try:
        OUTPUTS[output](random, *state)
    except oc.OrdercycleError as error:
        check_terminal(f"{output}: {type(error).__name__}", str(error))
        totals[f"{output}: refused"] += 1
        return
    finally:
        totals["names"] += 1
    totals[output] += 1


def _two(random):
    names = [hostile(random), hostile(random)]
    return names if names[0] != names[1] else [*names[:1], f"{names[1]}2"]


def _reprs(random, folder, plain):  # noqa: ARG001 - of all outputs
    names = _two(random)
    history = oc.OrderHistory.build(orders([hostile(random), hostile(random)]))
    rules = _rules(names)
    profile = history.profile(AS_OF)
    report = _report(history, names)
    audience = oc.Audience.where(profile, "true", name=_printable(random))
    shown = (
        history,
        rules,
        rules.lint(profile),
        report,
        audience,
        audience.summary(),
        history.summary(),
    )
    for one in shown:
        for text in (repr(one), str(one)):
            check_terminal(f"repr of {type(one).__name__}", text)
        if hasattr(one, "_repr_html_"):
            check_page(f"notebook view of {type(one).__name__}", one._repr_html_(), "")


def _errors(random, folder, plain):  # noqa: ARG001 - of all outputs
    name = hostile(random)
    table = orders(["a"]).rename_columns([name, "ordered_at", "amount"])
    attempts = (
        lambda: oc.OrderHistory.build(table),
        lambda: oc.OrderHistory.build(orders(["a"]), columns=oc.Columns(amount=name)),
        lambda: oc.OrderHistory.open(folder / name.replace("\0", "").replace("/", "")[:200]),
        lambda: oc.OrderHistory.build(str(folder / name.replace("\0", ""))),
        lambda: oc.Rules({name: "no_such_column > 1"}).assign(table),
        lambda: oc.OrderHistory.build(orders(["a"]), timezone=name),
        lambda: oc.Lifecycle.preset(name),
        lambda: oc.OrderHistory.build(orders([name, name]).set_column(2, "amount", LARGE)).profile(
            AS_OF
        ),
    )  # fmt: skip
    random.choice(attempts)()


def _page_of_names(random, folder, plain):
    text = _page(_two(random), hostile(random), random.choice(("EUR", "USD")), folder)
    check_page("page", text, plain)


def _report_csv(random, folder, plain):  # noqa: ARG001 - of all outputs
    history = oc.OrderHistory.build(orders(["a", "b"]))
    names = _two(random)
    path = folder / "report.csv"
    _report(history, names).to_csv(path)
    check_csv("report", path.read_bytes())


def _command(random, folder, plain):  # noqa: ARG001 - of all outputs
    ids = [hostile(random).replace("\0", "") or "x", "plain"]
    source, out = folder / "orders.parquet", folder / "out.csv"
    pq.write_table(orders(ids), source)
    scheme = folder / "rules.toml"
    names = [name.replace("\0", "") for name in _two(random)]
    scheme.write_text(_toml(names), encoding="utf-8")
    given = ["profile", str(source), "--as-of", str(AS_OF), "--out", str(folder / "p.parquet")]
    first = _run([*given, "--overwrite"])
    given = ["segment", str(folder / "p.parquet"), "--scheme", str(scheme), "--out", str(out)]
    second = _run([*given, "--overwrite", "--harmless"])
    if first.exit_code == second.exit_code == 0:
        check_csv("segments", out.read_bytes())
        found = pq.read_table(folder / "p.parquet")["customer_id"].to_pylist()
        if set(found) != {one for one in ids if one}:
            raise FaultError(f"ids changed: {found!r}")


def _toml(names):
    lines = [
        f"{json.dumps(name)} = {json.dumps(rule)}"
        for name, rule in zip(names, ("orders >= 2", "true"), strict=True)
    ]
    return "\n".join(['scheme = "rules"', "[rules]", *lines, ""])


def _run(arguments):
    result = CliRunner().invoke(cli, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise FaultError(f"{arguments[0]}: {result.exception!r}")
    check_terminal(f"stderr of {arguments[0]}", result.stderr)
    if "unexpected" in result.stderr:
        raise FaultError(f"{arguments[0]}: {result.stderr[:300]!r}")
    return result


def _schemes(random, folder, plain):  # noqa: ARG001 - of all outputs
    rules = _rules(_two(random))
    given = rules.to_dict()
    if oc.scheme_from_dict(json.loads(json.dumps(given))) != rules:
        raise FaultError(f"JSON changes {given!r}")
    from ordercycle._cli.scheme_files import read_scheme, write_toml

    path = folder / "saved.toml"
    write_toml(path, given)
    tomllib.loads(path.read_text(encoding="utf-8"))
    if read_scheme(path).scheme != rules:
        raise FaultError(f"TOML changes {given!r}")


def _audience(random, folder, plain):  # noqa: ARG001 - of all outputs
    ids = [*_two(random), "plain"]
    people = {
        "customer_id": ids,
        "email": [f"p{place}@example.com" for place in range(len(ids))],
        "first_name": [hostile(random) for _ in ids],
    }
    history = oc.OrderHistory.build(orders(ids))
    audience = oc.Audience.where(history.profile(AS_OF), "true", name=_printable(random))
    target = random.choice(("meta", "google", "mailchimp", "klaviyo"))
    contacts = oc.Contacts(pa.table(people), oc.ContactColumns(phone=(), first_name="first_name"))
    path = folder / "audience.csv"
    audience.to_csv(path, contacts, target, hashed=False)
    check_csv(target, path.read_bytes())


def _printable(random):
    """Return a name as audiences have them."""
    return "".join(one for one in hostile(random) if one.isprintable())


OUTPUTS = {
    "reprs": _reprs,
    "errors": _errors,
    "page": _page_of_names,
    "report CSV": _report_csv,
    "command line": _command,
    "TOML and JSON": _schemes,
    "audience files": _audience,
}
CAMPAIGN = Campaign("names", "hostile names through every output", "names", trial, state)
