"""What files are like, as the caller says it: nonsense and contradictions are refused."""

import pickle

import pytest

import ordercycle as oc
from ordercycle._cli.errors import flag
from ordercycle._errors import Option


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("delimiter", "", "one character"),
        ("delimiter", ";;", "one character"),
        ("delimiter", '"', "a meaning of its own"),
        ("delimiter", "\n", "a meaning of its own"),
        ("delimiter", "x", "an ASCII mark"),
        ("delimiter", "·", "an ASCII mark"),
        ("delimiter", 7, "one character"),
        ("decimal", "", "one character"),
        ("decimal", "-", "a meaning of its own"),
        ("decimal", None, "one character"),
        ("thousands", "0", "a meaning of its own"),
        ("thousands", ".", "as they stand in the files"),
        ("encoding", "utf8-with-love", "a name that Python knows"),
        ("encoding", "rot13", "a name that Python knows"),
        ("encoding", None, "a name that Python knows"),
        ("skip_rows", -1, "0 or more"),
        ("skip_rows", 1.5, "0 or more"),
        ("skip_rows", True, "0 or more"),
        ("time_formats", "%d/%m/%Y", r"time_formats=\('%d/%m/%Y',\)"),
        ("time_formats", ("%d/%m",), "year, month and day"),
        ("time_formats", ("%d/%m/%Y %Z",), "PST"),
        ("time_formats", ("UTC %d/%m/%Y %H:%M",), "'UTC' where it says nothing.*write %z"),
        ("time_formats", ("%d/%m/%Y %H:%M +0000",), r"'\+0000' where it says nothing"),
        ("time_formats", ("%Y-%m-%dT%H:%M:%S-05:00",), "'-05:00' where it says nothing"),
        ("time_formats", ("%d/%m/%Y %H:%M UTC+02",), "'UTC' where it says nothing"),
        ("time_formats", ("%d/%m/%Y %I:%M",), "go together"),
        ("time_formats", ("%d/%m/%Y %H:%M %p",), "go together"),
        ("time_formats", ("%d/%m/%Y %y",), "once"),
        ("time_formats", ("%d/%m/%Y %",), "%%"),
        ("time_formats", ("%c",), "%Y"),
        ("time_formats", ("%s %d",), "alone"),
        ("time_formats", ("",), "%d/%m/%Y"),
        ("time_formats", (3,), "texts only"),
        ("time_formats", ("%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M %z"), "or none"),
        ("time_formats", ("%Y-%m-%d", "%Y-%m-%d"), "once"),
        ("null_values", "NULL", r"null_values=\('NULL',\)"),
        ("null_values", 0, "null_values"),
        ("types", ("id", "text"), "dict"),
        ("types", {"id": "string"}, r"'text', 'integer', 'decimal\(12,2\)'"),
        ("types", {"id": "decimal(2,3)"}, "up to 38 digits"),
        ("types", {"id": "decimal(39,3)"}, "up to 38 digits"),
        ("types", {"": "text"}, "names of columns"),
        ("types", {"id": str}, "'text'"),
    ],
)
def test_nonsense_is_refused_and_names_what_to_pass(option, value, remedy):
    with pytest.raises(oc.ConfigError, match=remedy) as raised:
        oc.CsvFormat(**{option: value})
    assert option in str(raised.value)


@pytest.mark.parametrize("sheet", ["", 0, 1, ["a"]])
def test_a_sheet_has_a_name(sheet):
    with pytest.raises(oc.ConfigError, match="as the workbook shows it"):
        oc.ExcelSheet(sheet=sheet)


def test_a_sheet_has_rows_to_skip_or_none():
    with pytest.raises(oc.ConfigError, match=r"ExcelSheet\(skip_rows=-2\).*0 or more"):
        oc.ExcelSheet(skip_rows=-2)


def test_a_format_is_plain_data():
    given = oc.CsvFormat(
        delimiter=";",
        decimal=",",
        thousands=".",
        encoding="latin-1",
        skip_rows=3,
        time_formats=["%d.%m.%Y", "%d.%m.%Y %H:%M"],
        null_values=["NULL"],
        types={"id": "Text", "amount": "decimal( 12, 2 )"},
    )
    assert given.time_formats == ("%d.%m.%Y", "%d.%m.%Y %H:%M")
    assert given.types == {"id": "text", "amount": "decimal(12,2)"}
    assert given.encoding == "iso8859-1"
    assert pickle.loads(pickle.dumps(given)) == given  # noqa: S301 - made here
    hash(given)


def test_what_does_not_say_how_to_read_is_refused():
    with pytest.raises(oc.ConfigError, match="CsvFormat"):
        oc.OrderHistory.build("orders.csv", read={"delimiter": ";"})


def test_the_command_line_says_formats_in_flags():
    one = Option("CsvFormat.time_formats", ("%d/%m/%Y", "%d/%m/%Y %H:%M"))
    assert flag(one) == "--time-format %d/%m/%Y --time-format '%d/%m/%Y %H:%M'"
    assert flag(Option("CsvFormat.types", {"id": "text"})) == "--type id=text"
    assert flag(Option("CsvFormat.null_values")) == "--null-value"
