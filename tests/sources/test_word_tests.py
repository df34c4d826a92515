"""Conditions on columns of codes say what they say of the texts."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.event_histories import customers_of

import ordercycle as oc
from ordercycle._expressions.language import parsed
from ordercycle._sources import parquet_files
from ordercycle._sources.computed_columns import Computation, resolved
from ordercycle._sources.read_request import ReadRequest
from ordercycle._sources.row_source import ONLY, TAKEN

WORDS = ["click", "open", "", "Click", "é", "7"]
CONDITIONS = [
    "kind == 'click'",
    "'click' != kind",
    "kind in ('click', 'open')",
    "kind not in ('click', '')",
    "kind == 'absent' or count > 1",
    "not (kind == 'open' and channel == 'é')",
    "kind < 'd' and channel >= 'c'",
    "kind is null or channel != 'open'",
    "lower(kind) == 'click' and kind != 'Click'",
    "kind == channel or kind == 'open'",
    "if_null(kind, 'click') == 'click'",
    "integer(kind) == 7 or kind == 'click'",
]
#: Conditions of words alone, of which no text is read row by row.
OF_WORDS = CONDITIONS[:7]

drawn = st.lists(
    st.tuples(st.sampled_from([*WORDS, None]), st.sampled_from([*WORDS, None]), st.integers(0, 3)),
    max_size=30,
)


def computed(rows, condition, *, coded):
    """Return which rows count, or what is wrong."""
    columns = {name: pa.array([row[place] for row in rows], pa.string())
               for place, name in enumerate(("kind", "channel"))}  # fmt: skip
    if coded:
        columns = {name: one.dictionary_encode() for name, one in columns.items()}
    counts = pa.array([row[2] for row in rows], pa.int64())
    batch = pa.RecordBatch.from_pydict(columns | {"count": counts})
    names = batch.schema.names
    request = resolved(ReadRequest("events", dict.fromkeys(names, "other"), only=condition), names)
    computation = Computation.of(request, batch.schema)
    try:
        return computation.batch(batch).column(ONLY).to_pylist(), computation
    except oc.DataError as error:
        return str(error), computation


@pytest.mark.parametrize("condition", CONDITIONS)
@given(drawn)
def test_codes_count_where_texts_do(condition, rows):
    of_texts, _ = computed(rows, condition, coded=False)
    of_codes, computation = computed(rows, condition, coded=True)
    assert of_codes == of_texts
    if condition in OF_WORDS:
        assert not {"kind", "channel"} & set(computation.casts)


def test_words_that_no_row_has_make_nothing_fail():
    words = pa.array(["7", "no number"])
    kind = pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int32()), words)
    batch = pa.RecordBatch.from_pydict({"kind": kind})
    request = ReadRequest("events", {"kind": "other"}, only="integer(kind) == 7")
    computation = Computation.of(resolved(request, ["kind"]), batch.schema)
    assert computation.batch(batch).column(ONLY).to_pylist() == [True, None]


def test_a_column_that_is_called_like_a_test():
    condition = "kind == 'click'"
    name = repr(parsed(condition))
    batch = pa.RecordBatch.from_pydict(
        {"kind": pa.array(["click", "open"]).dictionary_encode(), name: [False, True]}
    )
    whole = f'{condition} and column("{name}") == true'
    request = ReadRequest("events", {"kind": "other"}, only=whole)
    computation = Computation.of(resolved(request, batch.schema.names), batch.schema)
    assert computation.batch(batch).column(ONLY).to_pylist() == [False, False]


def test_many_words_of_few_rows():
    words = pa.array([f"campaign {number}" for number in range(100)])
    kind = pa.DictionaryArray.from_arrays(pa.array([7, None, 8], pa.int32()), words)
    batch = pa.RecordBatch.from_pydict({"kind": kind})
    request = ReadRequest("events", {"kind": "other"}, only="kind == 'campaign 7'")
    computation = Computation.of(resolved(request, ["kind"]), batch.schema)
    assert computation.batch(batch).column(ONLY).to_pylist() == [True, None, False]


EVENTS = oc.EventColumns(attributes=["kind", "campaign name"])


TEXT = pa.string()


def events(kind=TEXT):
    """Return events with texts of some types."""
    rows = 1_000
    kinds = [("click", "open", None)[row % 3] for row in range(rows)]
    campaigns = [f"campaign {row % 70}" for row in range(rows)]
    return pa.table(
        {
            "customer_id": pa.array([row % 13 for row in range(rows)]),
            "occurred_at": pa.array(range(rows), pa.timestamp("s", "UTC")),
            "kind": pa.array(kinds, kind),
            "campaign name": pa.array(campaigns, kind),
        }
    )


@pytest.mark.parametrize("only", [None, "kind == 'click'", "`campaign name` != 'campaign 7'"])
@pytest.mark.parametrize("memory_limit", [None, "100MB"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
@pytest.mark.parametrize("rows_with_codes", [1, 2**14])
def test_files_hold_what_tables_do(
    kind, memory_limit, only, rows_with_codes, tmp_path, monkeypatch
):
    monkeypatch.setattr(parquet_files, "ROWS_WITH_CODES", rows_with_codes)
    if only is not None:
        only = only.replace("`campaign name`", "column('campaign name')")
    table = events(kind)
    pq.write_table(table.slice(0, 600), tmp_path / "1.parquet", row_group_size=100)
    # Without Arrow's schema, without dictionaries, and as another type of text.
    other = table.slice(600).cast(events().schema)
    pq.write_table(other, tmp_path / "2.parquet", use_dictionary=False, store_schema=False)
    options = {"columns": EVENTS, "memory_limit": memory_limit, "only": only}
    of_files = oc.EventHistory.build(str(tmp_path / "*.parquet"), **options)
    of_table = oc.EventHistory.build(table, **options)
    assert customers_of(of_files) == customers_of(of_table)


def test_texts_beyond_a_dictionary_are_read_plainly(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_files, "ROWS_WITH_CODES", 1)
    pq.write_table(events(), tmp_path / "events.parquet")
    plainly = parquet_files._read
    asked = []

    def read(*arguments, coded=(), **options):
        asked.append(coded)
        for batch in plainly(*arguments, coded=coded, **options):
            if coded:
                yield batch.slice(0, 137)
                raise pa.lib.ArrowCapacityError("array cannot contain more than 2147483646 bytes")
            yield batch

    whole = oc.EventHistory.build(str(tmp_path / "events.parquet"), columns=EVENTS)
    monkeypatch.setattr(parquet_files, "_read", read)
    found = oc.EventHistory.build(str(tmp_path / "events.parquet"), columns=EVENTS)
    assert [bool(coded) for coded in asked] == [True, False]
    assert customers_of(found) == customers_of(whole)


def test_an_error_names_the_type_of_texts_that_files_have(tmp_path):
    table = events()
    pq.write_table(pa.concat_tables([table] * 20), tmp_path / "1.parquet")
    numbers = table.set_column(2, "kind", pa.array(range(len(table))))
    pq.write_table(numbers, tmp_path / "2.parquet")
    with pytest.raises(oc.ColumnError, match=r"kind is int64 in .* but string in"):
        oc.EventHistory.build(str(tmp_path / "*.parquet"), columns=EVENTS)


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("only", [None, "kind == 'click'"])
def test_names_of_columns_that_are_made_are_refused(name, only):
    table = events().rename_columns(["customer_id", "occurred_at", "kind", name])
    with pytest.raises(oc.ColumnError, match=rf"events: '{name}' is what .* rename the column"):
        oc.EventHistory.build(table, columns=oc.EventColumns(attributes=["kind", name]), only=only)
