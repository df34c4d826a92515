"""The options of a build as data: TOML files that say what a source is."""

import datetime as dt
import tomllib

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import ordercycle as oc

TOML = """
only = "status in ('paid', 'shipped')"
timezone = "Europe/Madrid"
nobody = ["guest@example.com", 0]
refunds = "count"

[columns]
customer = "lower(trim(Email))"
time = "Created at"
amount = "Price * Quantity"
registered = ""

[read]
delimiter = ";"
decimal = ","
skip_rows = 3
time_formats = ["%d/%m/%Y %H:%M"]
null_values = ["NULL"]

[read.types]
Email = "text"
"""


def test_a_toml_file_says_what_a_source_is():
    source = oc.source_from_dict(tomllib.loads(TOML))
    assert source.given["columns"] == oc.Columns(
        customer="lower(trim(Email))", time="Created at", amount="Price * Quantity", registered=None
    )
    assert source.given["read"] == oc.CsvFormat(
        delimiter=";", decimal=",", skip_rows=3, time_formats=("%d/%m/%Y %H:%M",),
        null_values=("NULL",), types={"Email": "text"},
    )  # fmt: skip
    again = oc.source_from_dict(source.to_dict())
    assert again == source
    assert again.to_dict() == source.to_dict()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"read": {"format": "ndjson"}},
        {"read": {"sheet": "Orders"}},
        {"read": {"format": "excel", "skip_rows": 2}},
        {"columns": {"amount": "", "order": "id", "listed_customer": "id"}},
        {"memory_limit": "4GB", "threads": 2, "anonymous": "error"},
    ],
    ids=str,
)
def test_what_is_written_is_read_again(given):
    source = oc.source_from_dict(given)
    assert oc.source_from_dict(source.to_dict()) == source


TABLE = pa.table(
    {"user": [1, 2], "ordered_at": [dt.datetime(2026, 1, 1, 23, 30, tzinfo=dt.UTC)] * 2,
     "amount": [1, 2], "status": ["paid", "lost"]}
)  # fmt: skip


def test_a_history_is_built_as_its_source_says():
    source = oc.source_from_dict(
        {"only": "status == 'paid'", "timezone": "Europe/Madrid", "columns": {"customer": "user"}}
    )
    history = oc.OrderHistory.build(TABLE, source=source)
    assert history.summary().left_out == 1
    assert history.summary().first_day == dt.date(2026, 1, 2)


def test_what_is_given_beside_a_source_comes_first():
    source = oc.source_from_dict(
        {"only": "status == 'paid'", "timezone": "Europe/Madrid", "columns": {"customer": "user"}}
    )
    history = oc.OrderHistory.build(TABLE, source=source, timezone="UTC", only=None)
    assert history.summary().left_out == 0
    assert history.summary().first_day == dt.date(2026, 1, 1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "describes no source"),
        ({"onyl": "x"}, "no key 'onyl' (did you mean 'only'?)"),
        ({"spill_directory": "spill"}, "no key 'spill_directory'"),
        ({"columns": {"custmer": "x"}}, "(did you mean 'customer'?)"),
        ({"columns": "x"}, "is no table"),
        ({"columns": {"customer": ""}}, "names no column"),
        ({"read": {"delimeter": ";"}}, "(did you mean 'delimiter'?)"),
        ({"read": {"format": "xml"}}, "there is no format 'xml'"),
        ({"read": {"format": "ndjson", "delimiter": ";"}}, "option of ndjson"),
        ({"read": {"sheet": "a", "delimiter": ";"}}, "option of excel"),
        ({"read": 7}, "is no table"),
        ({"refunds": "gross"}, "is not an option"),
        ({"timezone": "Mars"}, "IANA"),
        ({"nobody": "guest"}, "is no list of ids"),
        ({"only": ""}, "is no condition"),
    ],
    ids=str,
)
def test_nonsense_is_a_config_error(given, said):
    with pytest.raises(oc.ConfigError) as raised:
        oc.source_from_dict(given)
    assert said in str(raised.value)


def test_a_source_is_what_source_from_dict_returns():
    with pytest.raises(oc.ConfigError, match="describes no source"):
        oc.OrderHistory.build(TABLE, source={"only": "x"})


def test_expressions_without_text_are_not_data():
    source = oc.SourceOptions({"only": pc.field("status") == "paid"})
    assert source.to_dict() == {"only": "status == 'paid'"}
    with pytest.raises(oc.ConfigError, match="has no text"):
        oc.SourceOptions({"columns": oc.Columns(customer=pc.utf8_reverse(pc.field("a")))}).to_dict()
