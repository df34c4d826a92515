"""Lists on the command line: written as files, and sent."""

import csv
import datetime as dt

import pyarrow as pa
import pytest
from pyarrow import parquet
from support.command_line import run
from support.vendors import KEY, TOKEN, FakeMailchimp, FakeMeta, served

LISTS = """
[features]
coffees = "count(lines, category == 'coffee')"
[audiences."Top, coffee"]
where = "value_list == 'Top' and coffees >= 1"
value = "clv"
targets = ["meta", "plain"]
[audiences."Lost"]
where = "value_list == 'Lost' and not has(lines, category == 'tea')"
targets = ["mailchimp"]
[streams.lines]
path = "nowhere.parquet"
columns = {{ attributes = ["category"] }}
[contacts]
phone = []
[connections.meta]
account = "act_123"
token = "TEST_META_TOKEN"
base_url = "{meta}"
[connections.mailchimp]
list = "a1b2c3"
key = "TEST_MAILCHIMP_KEY"
base_url = "{mailchimp}"
"""
NOWHERE = {"meta": "http://127.0.0.1:9", "mailchimp": "http://127.0.0.1:9"}
GIVEN = ("--profile", "profile.parquet", "--stream", "lines=lines.parquet", "--as-of", "2026-11-01")


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ids = ["ann", "bob", "cid", "dan"]
    profile = {
        "customer_id": ids,
        "value_list": ["Top", "Top", "Lost", "Lost"],
        "clv": [9.5, 8, 1, 0],
    }
    parquet.write_table(pa.table(profile), "profile.parquet")
    lines = {"customer_id": ["ann", "dan"], "category": ["coffee", "tea"]}
    days = pa.array([dt.date(2026, 10, 1)] * 2)
    parquet.write_table(pa.table({**lines, "occurred_at": days}), "lines.parquet")
    people = {"customer_id": ids, "email": [f"{one}@example.com" for one in ids]}
    parquet.write_table(pa.table(people), "contacts.parquet")
    (tmp_path / "lists.toml").write_text(LISTS.format(**NOWHERE))
    return tmp_path


def rows_of(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_files(shop):
    result = run(
        "audience", "lists.toml", *GIVEN, "--contacts", "contacts.parquet", "--out", "made"
    )
    assert result.exit_code == 0, result.stderr
    names = sorted(path.name for path in (shop / "made").iterdir())
    assert names == ["lost.mailchimp.csv", "top-coffee.meta.csv", "top-coffee.plain.csv"]
    assert "1 of 1 customer reachable" in result.stderr
    assert "not reached" not in result.stderr
    rows = rows_of(shop / "made" / "top-coffee.plain.csv")
    assert rows == [{"customer_id": "ann", "value": "9.5", "email": "ann@example.com"}]
    (row,) = rows_of(shop / "made" / "lost.mailchimp.csv")
    assert (row["Email Address"], row["Tags"]) == ("cid@example.com", "Lost")
    again = run("audience", "lists.toml", *GIVEN, "--contacts", "contacts.parquet", "--out", "made")
    assert (again.exit_code, "--overwrite" in again.stderr) == (1, True)


def test_syncs(shop, monkeypatch):
    monkeypatch.setenv("TEST_META_TOKEN", TOKEN)
    monkeypatch.setenv("TEST_MAILCHIMP_KEY", KEY)
    vendors = FakeMeta(), FakeMailchimp(members=["cid@example.com"])
    with served(vendors[0]) as meta, served(vendors[1]) as mailchimp:
        (shop / "lists.toml").write_text(LISTS.format(meta=meta, mailchimp=mailchimp))
        for to in ("meta", "mailchimp"):
            given = (*GIVEN, "--contacts", "contacts.parquet", "--to", to, "--state", "state")
            result = run("sync", "lists.toml", *given, "--dry-run")
            assert result.exit_code == 0, result.stderr
            assert "would be 1 added" in result.stderr
            assert run("sync", "lists.toml", *given).exit_code == 0
            assert (
                "0 added, 0 removed, 0 changed, 1 unchanged"
                in run("sync", "lists.toml", *given).stderr
            )
        monkeypatch.delenv("TEST_META_TOKEN")
        given = (*GIVEN, "--contacts", "contacts.parquet", "--to", "meta", "--state", "state")
        result = run("sync", "lists.toml", *given)
        assert (result.exit_code, "'TEST_META_TOKEN' holds no secret" in result.stderr) == (2, True)
    assert len(vendors[0].members("Top, coffee")) == 1
    assert vendors[1].members("Lost") == {"cid@example.com"}
    for path in (shop / "state").rglob("*"):
        assert TOKEN.encode() not in (path.read_bytes() if path.is_file() else b"")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("where =", "were =", "there is no key 'were'"),
        ('"meta", "plain"', '"mta"', "did you mean 'meta'?"),
        ("[contacts]", "[contact]", "there is no key 'contact'"),
        ("value_list == 'Top' and", "value_list = 'Top' and", "write == for equal"),
        ("phone = []", 'phone = ["mobile"]', "no column 'mobile'"),
        ("[features]", "[audiences.Lots]\n[features]", "'where' is no text"),
        ("account =", "acount =", "there is no key of [connections.meta] 'acount'"),
    ],
)
def test_files_that_make_no_sense(shop, before, after, says):
    (shop / "lists.toml").write_text(LISTS.replace(before, after, 1).format(**NOWHERE))
    result = run(
        "audience", "lists.toml", *GIVEN, "--contacts", "contacts.parquet", "--out", "made"
    )
    assert result.exit_code == 1
    assert says in result.stderr
    assert not (shop / "made").exists()


def test_who_cannot_be_reached_is_said_with_the_causes(shop, monkeypatch):
    people = {"customer_id": ["cid", "dan"], "email": ["cid@example.com", "n/a"]}
    parquet.write_table(pa.table(people), "contacts.parquet")
    lists = LISTS.replace("not has(lines, category == 'tea')", "clv >= 0")
    with served(FakeMailchimp(members=["cid@example.com"])) as url:
        given = {"meta": NOWHERE["meta"], "mailchimp": url}
        (shop / "lists.toml").write_text(lists.format(**given))
        monkeypatch.setenv("TEST_MAILCHIMP_KEY", KEY)
        common = ("lists.toml", *GIVEN, "--contacts", "contacts.parquet")
        sent = run("sync", *common, "--to", "mailchimp", "--state", "state")
    why = "; not reached: only addresses or numbers that are none (1)"
    assert sent.stderr == f"Lost: 1 added, 0 removed, 0 changed, 0 unchanged (1 batch){why}\n"
    written = run("audience", *common, "--out", "made", "--target", "mailchimp")
    top, lost = written.stderr.splitlines()
    assert top.endswith("0 of 1 customer reachable; not reached: not among the contacts (1)")
    assert lost.endswith(f"1 of 2 customers reachable{why}")


def test_what_is_missing(shop):
    result = run("audience", "lists.toml", *GIVEN, "--out", "made")
    assert (result.exit_code, "--contacts" in result.stderr) == (2, True)
    result = run("audience", "lists.toml", *GIVEN, "--out", "made", "--target", "plain")
    assert result.exit_code == 0, result.stderr
    assert (shop / "made" / "top-coffee.plain.csv").read_text() == "customer_id,value\nann,9.5\n"
    given = (*GIVEN, "--contacts", "contacts.parquet", "--state", "state")
    (shop / "lists.toml").write_text(LISTS.partition("[connections.meta]")[0].format())
    result = run("sync", "lists.toml", *given, "--to", "meta")
    assert (result.exit_code, "there is no [connections.meta]" in result.stderr) == (1, True)
