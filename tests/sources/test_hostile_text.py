"""No text of somebody's data moves a cursor, names a window, or runs in a spreadsheet."""

import csv
import datetime as dt
import html
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command_line import run

import ordercycle as oc
from ordercycle._cli.scheme_files import write_scheme
from ordercycle._spreadsheets import harmless

ESCAPES = "\x1b]0;PWNED\x07\x1b[2J\r\n\u202edlo\u2066\u200b\x9b31m"
FORMULA = '=HYPERLINK("http://x","y")'
#: One of each kind; ids, names, paths and columns are made of them.
HOSTILE = [ESCAPES, FORMULA, "\t=1", "<script>alert(1)</script>"]
DAY = dt.date(2026, 1, 1)
AS_OF = dt.date(2026, 6, 1)


def is_still(text):
    """Return whether every line of a text is printable."""
    return all(line.isprintable() for line in text.split("\n"))


def orders(ids, amounts=None):
    amounts = amounts or [float(place + 1) for place in range(len(ids))]
    return pa.table({"customer_id": ids, "ordered_at": [DAY] * len(ids), "amount": amounts})


@pytest.fixture
def history():
    return oc.OrderHistory.build(orders(HOSTILE * 2))


@pytest.fixture
def rules():
    names = dict(
        zip(HOSTILE, ["orders > 5", "orders > 1", "revenue > 3", "orders > 0"], strict=True)
    )
    return oc.Rules(names, default=f"else {ESCAPES}")


def shown(history, rules, folder):
    """Return what people see of all that the library hands out."""
    profile = history.profile(AS_OF)
    saved = history.save(folder / f"folder {ESCAPES.replace('/', '')}")
    lint = rules.lint(profile)
    membership = rules.membership(history, every="month")
    report = oc.SegmentReport.build(history, membership, period="2026-01", compare=None)
    yield from (history, history.summary(), saved, rules, lint, membership, report)
    yield from (oc.Rfm().fit(profile), oc.Cadence().fit(profile), oc.Lifecycle.preset("fashion"))


def test_every_repr_is_printable(history, rules, tmp_path):
    for one in shown(history, rules, tmp_path):
        assert is_still(repr(one)), type(one)
        assert is_still(str(one)), type(one)


def test_every_notebook_view_is_escaped(history, rules, tmp_path):
    views = [one for one in shown(history, rules, tmp_path) if hasattr(one, "_repr_html_")]
    assert len(views) > 2
    for one in views:
        assert "<script" not in one._repr_html_()
        assert is_still(one._repr_html_()), type(one)
    assert html.escape(HOSTILE[3]) in rules._repr_html_()


def messages(folder):
    """Raise every error here that repeats text of the data, by what it repeats."""
    big = [2**62, 2**62 + 2**61]
    customers = pa.table({"customer_id": ["somebody"], "registered_at": [DAY]})
    path = str(folder / ESCAPES.replace("/", ""))
    build = oc.OrderHistory.build
    yield lambda: build(orders([ESCAPES] * 2, big)).profile(AS_OF)
    yield lambda: build(orders([ESCAPES]), customers, unknown="error")
    yield lambda: build(orders(["a"]).rename_columns([ESCAPES, "ordered_at", "amount"]))
    yield lambda: build(orders(["a"]), columns=oc.Columns(customer=ESCAPES))
    yield lambda: build(orders(["a"]), timezone=ESCAPES)
    yield lambda: build(path)
    yield lambda: build(path + "/*.parquet")
    yield lambda: oc.OrderHistory.open(path)
    yield lambda: oc.Membership.from_table(path)
    yield lambda: oc.Rules({ESCAPES: f"{ESCAPES} >"})
    yield lambda: oc.Rules({"x": "orders > 1"}, default=ESCAPES).assign(pa.table({"a": [1]}))
    yield lambda: oc.Lifecycle.preset(ESCAPES)
    yield lambda: oc.SegmentReport.build(build(orders(["a"])), None, period=ESCAPES)


def test_every_message_is_printable(tmp_path):
    for number, raising in enumerate(messages(tmp_path)):
        with pytest.raises(oc.OrdercycleError) as caught:
            raising()
        assert str(caught.value).isprintable(), number
        assert "\\x1b]0;PWNED" in str(caught.value) or number in (9, 10, 12), str(caught.value)


def test_messages_shorten_what_nobody_reads():
    with pytest.raises(oc.OrdercycleError) as caught:
        oc.Lifecycle.preset("x" * 100_000)
    assert len(str(caught.value)) < 5_000


def test_commands_print_no_mark_of_the_data(tmp_path):
    source = tmp_path / f"orders {ESCAPES.replace('/', '')}.parquet"
    pq.write_table(orders(HOSTILE * 2), source)
    profile = tmp_path / f"p {ESCAPES.replace('/', '')}.parquet"
    names = tmp_path / "names.toml"
    write_scheme(names, oc.Rules({ESCAPES: "orders > 0"}, default=FORMULA), {})
    missing = tmp_path / ESCAPES.replace("/", "")
    commands = [
        ["profile", source, "--as-of", "2026-06-01", "--out", profile],
        ["profile", source, "--as-of", "2026-06-01", "--out", profile],  # it exists
        ["profile", missing, "--as-of", "2026-06-01"],
        ["profile", source, "--as-of", "2026-06-01", "--out", missing / "x.csv"],
        ["segment", profile, "--scheme", names, "--out", tmp_path / "s.csv"],
        ["segment", missing, "--preset", "fashion"],
        ["report", source, "--period", ESCAPES],
        [ESCAPES],
    ]
    for command in commands:
        result = run(*map(str, command))
        assert is_still(result.stderr), command


def csv_rows(path):
    return list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))


def test_spreadsheets_run_no_name_of_a_segment(tmp_path):
    profile, out = tmp_path / "p.parquet", tmp_path / "s.csv"
    pq.write_table(oc.OrderHistory.build(orders(HOSTILE)).profile(AS_OF), profile)
    names = tmp_path / "names.toml"
    write_scheme(names, oc.Rules({FORMULA: "orders > 0"}, default="-1+2"), {})
    assert run("segment", str(profile), "--scheme", str(names), "--out", str(out)).exit_code == 0
    header, *rows = csv_rows(out)
    place = header.index("tier")
    assert {row[place] for row in rows} == {f"'{FORMULA}"}
    assert {row[0] for row in rows} == set(HOSTILE)  # ids join with the orders again


@pytest.mark.parametrize("command", ["profile", "segment"])
def test_harmless_keeps_spreadsheets_from_running_ids(command, tmp_path):
    source, out = tmp_path / "x.parquet", tmp_path / "s.csv"
    table = orders(HOSTILE)
    arguments = ["--as-of", "2026-06-01"]
    if command == "segment":
        table, arguments = oc.OrderHistory.build(table).profile(AS_OF), ["--preset", "fashion"]
    pq.write_table(table, source)
    options = [*arguments, "--out", str(out), "--harmless"]
    assert run(command, str(source), *options).exit_code == 0
    _, *rows = csv_rows(out)
    assert {row[0] for row in rows} == {harmless(one) for one in HOSTILE}
    machine = tmp_path / "s.parquet"
    assert run(command, str(source), *arguments, "--harmless", "--out", str(machine)).exit_code == 0
    assert set(pq.read_table(machine)["customer_id"].to_pylist()) == set(HOSTILE)


BEFORE = ["", " ", "\t", "\u3164", "\u115f", "\u2800", "\u034f", "\u200b"]


@pytest.mark.parametrize("before", BEFORE)
def test_no_form_of_a_formula_is_left(before):
    for mark in "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b":
        assert harmless(f"{before}{mark}1+1") == f"'{before}{mark}1+1"


def test_plain_names_stay():
    for name in ("At-risk", "VIP", "1-2", "Ünïcode", "日本", "", "'quoted", "a=b"):
        assert harmless(name) == name
