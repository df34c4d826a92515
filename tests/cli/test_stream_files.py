"""Features, rules and streams in TOML files, for `profile`, `segment` and `report`."""

import tomllib
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import feather, parquet
from support.command_line import run

import ordercycle as oc

DAY = "2026-01-31"
FEATURES = """
[features]
coffee = "sum(lines.amount, product.category == 'coffee', last=31)"
first_product = "first(lines.product)"
recent_orders = "count(orders, last=10)"
"""
RULES = """
scheme = "rules"
column = "list"

[features]
coffee = "sum(lines.amount, product.category == 'coffee', last=31)"

[rules]
Coffee = "coffee > 5"
Tea = "has(lines, product.category == 'tea')"
"""
STREAMS = """
[streams.lines]
path = "lines.parquet"
columns = { time = "at", attributes = ["product"], values = ["amount"] }
lookups = { product = "products.parquet" }
"""


def day(number):
    return date(2026, 1, number)


ORDERS = pa.table(
    {
        "customer_id": ["ann", "bob", "cid", "ann"],
        "ordered_at": [day(2), day(5), day(6), day(29)],
        "amount": [9, 3, 2, 7],
    }
)
LINES = pa.table(
    {
        "customer_id": ["ann", "bob", "ann", "ann"],
        "at": [day(2), day(5), day(29), day(29)],
        "product": ["beans", "green", "filters", "=beans"],
        "amount": [6, 3, 1, 6],
    }
)
PRODUCTS = pa.table(
    {"product": ["beans", "=beans", "green"], "category": ["coffee", "coffee", "tea"]}
)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    """Work in a folder with orders; what files describe is in another one."""
    monkeypatch.chdir(tmp_path)
    conf = tmp_path / "conf"
    conf.mkdir()
    parquet.write_table(ORDERS, "orders.parquet")
    parquet.write_table(LINES, conf / "lines.parquet")
    parquet.write_table(PRODUCTS, conf / "products.parquet")
    (conf / "features.toml").write_text(FEATURES + STREAMS, encoding="utf-8")
    (conf / "rules.toml").write_text(RULES + STREAMS, encoding="utf-8")


def histories():
    columns = oc.EventColumns(time="at", attributes=["product"], values=["amount"])
    lines = oc.EventHistory.build(LINES, columns=columns, lookups={"product": PRODUCTS})
    return {"lines": lines, "orders": oc.OrderHistory.build(ORDERS)}


def done(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    return result


def test_profiles_get_features():
    done("profile", "orders.parquet", "--as-of", DAY, "--features", "conf/features.toml",
         "--out", "profile.arrow")  # fmt: skip
    streams = histories()
    features = tomllib.loads(FEATURES)["features"]
    expected = oc.features(streams["orders"].profile(DAY), features, as_of=DAY, streams=streams)
    assert feather.read_table("profile.arrow").equals(expected)
    lines = done("profile", "orders.parquet", "--as-of", DAY, "--features", "conf/features.toml",
                 "--window-days", 9).stdout.splitlines()  # fmt: skip
    assert lines[0].endswith('"coffee","first_product","recent_orders"')
    assert next(line for line in lines if line.startswith('"ann"')).endswith(',12,"beans",1')


def test_profiles_get_the_column_of_rules_as_well():
    done("profile", "orders.parquet", "--as-of", DAY, "--features", "conf/rules.toml",
         "--lifecycle", "fashion", "--out", "profile.arrow")  # fmt: skip
    found = feather.read_table("profile.arrow")
    assert found.column_names[-3:] == ["lifecycle", "coffee", "list"]
    lists = dict(zip(found["customer_id"].to_pylist(), found["list"].to_pylist(), strict=True))
    assert lists == {"ann": "Coffee", "bob": "Tea", "cid": "Other"}


def test_what_a_spreadsheet_would_run_is_marked():
    Path("conf/last.toml").write_text(
        "[features]\nlast = \"last(lines.product, product.category == 'coffee')\"\n" + STREAMS,
        encoding="utf-8",
    )
    lines = done("profile", "orders.parquet", "--as-of", DAY, "--features", "conf/last.toml",
                 "--no-amount").stdout  # fmt: skip
    assert "=beans" in lines
    assert '"=beans"' not in lines


def test_streams_are_built_within_the_limits_of_the_command(monkeypatch, tmp_path):
    given = []
    build = oc.EventHistory.build

    def noted(events, **options):
        given.append({name: options.get(name) for name in ("threads", "memory_limit")})
        options["progress"](1, 2, "read")
        return build(events, **options)

    monkeypatch.setattr(oc.EventHistory, "build", noted)
    done("profile", "orders.parquet", "--as-of", DAY, "--features", "conf/features.toml",
         "--threads", 1, "--memory-limit", "200MB", "--spill-directory", tmp_path)  # fmt: skip
    done("report", "orders.parquet", "--scheme", "conf/rules.toml", "--period", "2026-01",
         "--threads", 1)  # fmt: skip
    assert given == [
        {"threads": 1, "memory_limit": "200MB"}, {"threads": 1, "memory_limit": None}
    ]  # fmt: skip


@pytest.mark.parametrize("pieces", [1, 100])
def test_segments_by_rules_over_streams(monkeypatch, pieces):
    monkeypatch.setattr("ordercycle._cli.profile_rows.ROWS_PER_PIECE", pieces)
    done("profile", "orders.parquet", "--as-of", DAY, "--out", "profile.parquet")
    result = done("segment", "profile.parquet", "--scheme", "conf/rules.toml", "--save-scheme",
                  "kept.toml", "--out", "segments.arrow")  # fmt: skip
    assert "Coffee" in result.stderr
    streams = histories()
    text = tomllib.loads(RULES)
    rules = oc.scheme_from_dict(text)
    profile = streams["orders"].profile(DAY)
    expected = rules.assign(profile, streams=streams, as_of=DAY)
    assert feather.read_table("segments.arrow").equals(expected)
    again = done("segment", "profile.parquet", "--scheme", "kept.toml", "--as-of", DAY,
                 "--out", "again.arrow")  # fmt: skip
    assert again.stderr.replace("again", "segments") == result.stderr
    assert feather.read_table("again.arrow").equals(expected)


def test_saved_histories_are_opened():
    done("profile", "orders.parquet", "--as-of", DAY, "--out", "profile.parquet")
    for name, history in histories().items():
        history.save(f"conf/{name}.saved")
    Path("conf/saved.toml").write_text(
        'scheme = "rules"\n[rules]\nOne = "has(lines) and count(orders) == 1"\n'
        '[streams]\nlines = { path = "lines.saved" }\norders = { path = "orders.saved" }\n',
        encoding="utf-8",
    )
    done("segment", "profile.parquet", "--scheme", "conf/saved.toml", "--out", "segments.arrow")
    found = feather.read_table("segments.arrow").select(["customer_id", "tier"]).to_pylist()
    assert {row["customer_id"]: row["tier"] for row in found} == {
        "ann": "Other", "bob": "One", "cid": "Other"
    }  # fmt: skip
    other = pa.table({"product": ["filters"], "category": ["coffee"]})
    parquet.write_table(other, "conf/other.parquet")
    Path("conf/other.toml").write_text(
        'scheme = "rules"\n[rules]\nCoffee = "has(lines, product.category == \'coffee\')"\n'
        '[streams.lines]\npath = "lines.saved"\nlookups = { product = "other.parquet" }\n',
        encoding="utf-8",
    )
    result = done("segment", "profile.parquet", "--scheme", "conf/other.toml", "--out", "o.arrow")
    assert "Coffee                            1" in result.stderr


def test_orders_may_be_described_as_well():
    done("profile", "orders.parquet", "--as-of", DAY, "--out", "profile.parquet")
    Path("conf/orders.toml").write_text(
        'scheme = "rules"\n[rules]\nRich = "sum(o.amount) > 9"\n[streams.o]\nkind = "orders"\n'
        'path = ["../orders.parquet"]\n',
        encoding="utf-8",
    )
    result = done("segment", "profile.parquet", "--scheme", "conf/orders.toml", "--out", "s.arrow")
    assert "Rich                              1" in result.stderr
    parquet.write_table(ORDERS.append_column("product", LINES["product"]), "conf/orders.parquet")
    parquet.write_table(pa.table({"customer_id": ["dan"]}), "conf/customers.parquet")
    Path("conf/orders.toml").write_text(
        'scheme = "rules"\n[rules]\nCoffee = "has(o, product.category == \'coffee\')"\n'
        '[streams.o]\nkind = "orders"\npath = "orders.parquet"\ncustomers = "customers.parquet"\n'
        'columns = { attributes = ["product"], registered = "" }\n'
        'lookups = { product = "products.parquet" }\n',
        encoding="utf-8",
    )
    result = done("segment", "profile.parquet", "--scheme", "conf/orders.toml", "--out", "c.arrow",
                  "--save-scheme", "kept.toml")  # fmt: skip
    assert "Coffee                            1" in result.stderr
    again = done("segment", "profile.parquet", "--scheme", "kept.toml", "--out", "d.arrow")
    assert again.stderr.replace("d.arrow", "c.arrow") == result.stderr


def test_reports_of_rules_over_streams():
    text = Path("conf/rules.toml").read_text(encoding="utf-8")
    text = text.replace("has(lines,", "count(orders) == 1 and has(lines,")
    Path("conf/rules.toml").write_text(text, encoding="utf-8")
    done("report", "orders.parquet", "--scheme", "conf/rules.toml", "--period", "2026-01",
         "--compare", "none", "--out", "report.csv")  # fmt: skip
    streams = histories()
    rules = oc.scheme_from_dict({name: one for name, one in tomllib.loads(text).items() if
                                 name != "streams"})  # fmt: skip
    membership = rules.membership(streams["orders"], streams=streams)
    report = oc.SegmentReport.build(streams["orders"], membership, period="2026-01", compare=None)
    report.to_csv("expected.csv")
    assert Path("report.csv").read_text("utf-8") == Path("expected.csv").read_text("utf-8")
    soon = text.replace("[rules]", "[rules]\nSoon = \"has(lines, product == 'soon')\"")
    Path("conf/rules.toml").write_text(soon, encoding="utf-8")
    options = ["--scheme", "conf/rules.toml", "--period", "2026-01", "--compare", "none"]
    assert "product equals 'soon'" in run("report", "orders.parquet", *options).stderr
    found = done("report", "orders.parquet", *options, "--missing", "empty", "--segment", "Soon")
    assert "Soon" in found.stdout


REFUSED = {
    "no TOML": ("[features", "features.toml cannot be read as TOML: "),
    "nothing": ("", "features.toml: there are no [features]; write them, or [rules]"),
    "an unknown table": ("[feature]\n", "there is no key 'feature' (did you mean 'features'?)"),
    "features that are no table": ("features = 3\n", "[features]: features = 3 names no features"),
    "a feature that cannot be read": ('[features]\nn = "cont(lines)"\n',
                                      "features.toml: [features]: feature 'n': "),
    "a stream that is not there": ('[features]\nn = "count(line)"\n' + STREAMS,
                                   "did you mean 'lines'?"),
    "another scheme": ('scheme = "rfm"\n[rules]\na = "b > 1"\n', "Rfm has no option 'rules'"),
    "streams that are no table": ("streams = 3\n" + FEATURES, "features.toml: 'streams' is no"),
    "a stream that is no table": (FEATURES + "[streams]\nlines = 3\n",
                                  "[streams.lines]: is no table"),
    "a stream without a path": (FEATURES + "[streams.lines]\n", "'path' names no file"),
    "an unknown key": (FEATURES + '[streams.lines]\npath = "l"\ntime_zone = "UTC"\n',
                       "there is no key 'time_zone' (did you mean 'timezone'?)"),
    "an unknown column": (FEATURES + '[streams.lines]\npath = "l"\ncolumns = {atributes = ["a"]}\n',
                          "there is no column 'atributes' (did you mean 'attributes'?)"),
    "attributes that are no list": (
        FEATURES + '[streams.lines]\npath = "lines.parquet"\ncolumns = {attributes = "product"}\n',
        "[streams.lines]: attributes = 'product' is no list of columns",
    ),
    "a lookup without a path": (FEATURES + '[streams.lines]\npath = "l"\nlookups = {product = 3}\n',
                                "'lookups.product' names no file"),
    "an unknown kind": (FEATURES + '[streams.lines]\npath = "l"\nkind = "event"\n',
                        "kind = 'event' is not an option (did you mean 'events'?)"),
    "a file that is not there": (FEATURES + '[streams.lines]\npath = "l.parquet"\n',
                                 "features.toml: [streams.lines]: "),
    "a column that is not there": (FEATURES + '[streams.lines]\npath = "lines.parquet"\n',
                                   "occurred_at"),
    "a zone that is not there": (FEATURES + STREAMS + 'timezone = "Europe/Madird"\n', "Madird"),
    "a lookup that is not there": (FEATURES + STREAMS.replace("products.", "product."),
                                   "[streams.lines]: "),
    "a typo": (FEATURES.replace("'coffee'", "'Coffee'") + STREAMS, "did you mean 'coffee'?"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refusals_name_the_file(what):
    text, message = REFUSED[what]
    Path("conf/features.toml").write_text(text, encoding="utf-8")
    result = run("profile", "orders.parquet", "--as-of", DAY, "--features", "conf/features.toml",
                 "--out", "profile.arrow")  # fmt: skip
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"ordercycle: {Path('conf/features.toml')}")
    assert message in line
    assert not Path("profile.arrow").exists()


@pytest.mark.parametrize("rules", ["", '[rules]\na = "has(lines)"\n'])
def test_a_feature_that_is_called_like_a_column_is_refused(rules):
    text = '[features]\nrevenue = "count(lines)"\n' + rules + STREAMS
    Path("conf/features.toml").write_text(text, encoding="utf-8")
    result = run("profile", "orders.parquet", "--as-of", DAY, "--features", "conf/features.toml",
                 "--out", "profile.arrow")  # fmt: skip
    assert result.exit_code == 1
    assert "'revenue'" in result.stderr
    assert not Path("profile.arrow").exists()


def test_refusals_of_segment():
    done("profile", "orders.parquet", "--as-of", DAY, "--out", "profile.parquet")
    histories()["lines"].save("conf/lines.saved")
    for arguments, code, message in [
        (["--as-of", DAY], 2, "--as-of is for rules over streams"),
        (["--scheme", "conf/rules.toml", "--as-of", "2026-01-30"], 2, "is as of 2026-01-31"),
        (["--scheme", "conf/bare.toml"], 2, "describe it as [streams.line]"),
        (["--scheme", "conf/keyed.toml"], 1, "'columns' means nothing for"),
        (["--scheme", "conf/rules.toml", "--scheme", "conf/keyed.toml"], 2, "both describe a str"),
    ]:
        bare = 'scheme = "rules"\n[rules]\nCoffee = "has(line)"\n'
        Path("conf/bare.toml").write_text(bare, encoding="utf-8")
        keyed = RULES + STREAMS.replace("lines.parquet", "lines.saved")
        Path("conf/keyed.toml").write_text(keyed, encoding="utf-8")
        result = run("segment", "profile.parquet", *arguments, "--out", "segments.arrow")
        assert result.exit_code == code, result.stderr
        assert message in result.stderr
        assert not Path("segments.arrow").exists()


def test_a_profile_that_does_not_say_its_day():
    parquet.write_table(pa.table({"customer_id": ["ann", "dan"]}), "customers.parquet")
    options = ["segment", "customers.parquet", "--scheme", "conf/rules.toml"]
    result = run(*options)
    assert result.exit_code == 2
    assert "does not say its day" in result.stderr
    assert done(*options, "--as-of", DAY).stdout.splitlines() == [
        '"customer_id","coffee","list"', '"ann",12,"Coffee"', '"dan",0,"Other"'
    ]  # fmt: skip
    parquet.write_table(pa.table({"customer_id": pa.array([], pa.string())}), "customers.parquet")
    assert done(*options, "--as-of", DAY).stdout == '"customer_id","coffee","list"\n'
