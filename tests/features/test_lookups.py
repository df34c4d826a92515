"""Lookups: columns of an attribute's values, joined where they are named and kept after that."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

import ordercycle as oc
from ordercycle._streams.attributes import Attributes, LookupColumns, Values
from ordercycle._streams.columns import StreamColumns

PRODUCTS = pa.array(["ink", "tea", "toy"])
CATALOGUE = {"product": ["tea", "ink", "cup"], "price": [3, 2, 5], "aisle": ["a", "b", "c"]}


def attributes(catalogue=CATALOGUE):
    known = Attributes({"product": Values.of(PRODUCTS)})
    return known.with_lookups({"product": catalogue}, "attributes")


def test_a_column_is_joined_once_and_only_where_it_is_named():
    known = attributes()
    stream = StreamColumns(attributes=known.columns)
    assert stream.lookups == [("product", "price"), ("product", "aisle")]
    assert stream.by_code(("product", "colour")) is None
    assert stream.by_code(("product", "product")) is None
    assert stream.by_code(("product", "aisle", "price")) is None
    lookups = known.columns["product"].lookups
    assert isinstance(lookups, LookupColumns)
    assert not lookups.joined
    found = stream.by_code(("product", "price"))
    assert found.by_code.to_pylist() == [None, 2, 3, None]
    assert found.catalogue.to_pylist() == [3, 2, 5]
    assert list(lookups.joined) == ["price"]
    assert StreamColumns(attributes=known.columns).by_code(("product", "price")) is found


def test_other_values_and_other_tables_are_joined_anew():
    known = attributes()
    assert known.columns["product"].lookups["price"].values.to_pylist() == [2, 3, None]
    more = known.with_values({"product": Values.of(pa.array(["cup", "ink"]))})
    assert more.columns["product"].lookups["price"].values.to_pylist() == [5, 2]
    newer = known.with_lookups({"product": {"product": ["toy"], "price": [9]}}, "attributes")
    assert newer.columns["product"].lookups["price"].values.to_pylist() == [None, None, 9]
    assert list(newer.columns["product"].lookups) == ["price"]
    with pytest.raises(KeyError):
        newer.columns["product"].lookups["aisle"]


def test_threads_that_ask_at_once_have_the_same_column():
    known = attributes()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: known.columns["product"].lookups["aisle"], range(64)))
    assert {tuple(one.values.to_pylist()) for one in found} == {("b", "a", None)}


def test_what_was_joined_is_not_pickled():
    known = attributes()
    stream = StreamColumns(attributes=known.columns)
    sizes = len(pickle.dumps(known)), len(pickle.dumps(stream))
    column = stream.by_code(("product", "aisle"))
    assert column.in_order.values.to_pylist() == ["a", "b"]
    assert known.columns["product"].by_code.to_pylist() == [None, "ink", "tea", "toy"]
    assert (len(pickle.dumps(known)), len(pickle.dumps(stream))) == sizes
    loaded = pickle.loads(pickle.dumps(stream))  # noqa: S301 - its own
    assert loaded.by_code(("product", "aisle")).values.to_pylist() == ["b", "a", None]


UNORDERED = {
    "list": pa.list_(pa.string()),
    "large_list": pa.large_list(pa.int8()),
    "list_view": pa.list_view(pa.int8()),
    "struct": pa.struct({"x": pa.int8()}),
    "map": pa.map_(pa.string(), pa.int8()),
    "extension": pa.uuid(),
}


@pytest.mark.parametrize("kind", UNORDERED.values(), ids=UNORDERED)
def test_what_has_no_order_is_no_column_of_a_lookup(kind):
    table = pa.table({"product": ["tea"], "tags": pa.nulls(1, kind)})
    with pytest.raises(oc.ColumnError, match=r"the lookup of product: tags is .*; leave it out"):
        attributes(table)


@pytest.mark.parametrize(
    "kind",
    [
        pa.float16(),
        pa.decimal32(5, 2),
        pa.decimal64(12, 2),
        pa.binary_view(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.time64("us"),
        pa.null(),
    ],
    ids=str,
)
def test_columns_of_every_other_type_have_an_order(kind):
    written = pa.array(["1", None, "0"] if not pa.types.is_time(kind) else [1, None, 0])
    if pa.types.is_null(kind):
        made = pa.nulls(3)
    elif pa.types.is_dictionary(kind):
        made = written.dictionary_encode()
    elif pa.types.is_decimal(kind):
        made = written.cast(pa.decimal128(kind.precision, kind.scale)).cast(kind)
    elif pa.types.is_float16(kind):
        made = written.cast(pa.float32()).cast(kind)
    else:
        made = written.cast(kind)
    known = attributes(pa.table({"product": ["toy", "tea", "ink"], "kind": made}))
    found = known.columns["product"].lookups["kind"]
    assert found.in_order.places.tolist() == ([0] * 4 if made.type == pa.null() else [0, 1, 0, 2])
