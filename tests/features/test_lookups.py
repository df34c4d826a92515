"""Lookups: columns of an attribute's values, joined where they are named and kept after that."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

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
