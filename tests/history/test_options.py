"""The options of a build: declared once, checked once, the same everywhere."""

import dataclasses
import inspect
from copy import deepcopy
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import ordercycle as oc
from ordercycle._history.options import OPTIONS, BuildArguments, BuildOptions
from ordercycle._history.order_history import grouped_orders
from ordercycle._policies import Policies

ORDERS = pa.table(
    {
        "user_id": [1, 1, 2],
        "ordered_at": [date(2026, 1, day) for day in (5, 19, 6)],
        "amount": [10, 20, 30],
    }
)


def test_type_checkers_and_help_know_every_option():
    shown = inspect.signature(oc.OrderHistory.build).parameters
    assert set(BuildArguments.__annotations__) <= {"source", *OPTIONS}
    assert set(OPTIONS) <= set(shown)
    assert shown["refunds"].default == "net"
    documented = inspect.getdoc(oc.OrderHistory.build)
    for name in ("source", *OPTIONS):
        assert f"\n{name}" in documented or f", {name}" in documented, name


def test_every_policy_has_help():
    for declared in dataclasses.fields(Policies):
        assert declared.metadata["doc"].endswith(".")


def test_an_unknown_option_gives_the_nearest():
    with pytest.raises(oc.ConfigError, match=r"no option 'timezon' \(did you mean 'timezone'\?\)"):
        oc.OrderHistory.build(ORDERS, timezon="UTC")


@pytest.mark.parametrize(
    "wrong",
    [
        {"refunds": "gross"},
        {"only": ""},
        {"only": 7},
        {"nobody": "guest"},
        {"nobody": None},
        {"nobody": [True]},
        {"nobody": [1.5]},
        {"unknown": "drop"},
        {"columns": "user_id"},
        {"spill_directory": "/nowhere/at/all"},
        {"threads": 0},
        {"timezone": "Mars/Olympus"},
    ],
)
def test_nonsense_is_a_config_error(wrong):
    with pytest.raises(oc.ConfigError):
        BuildOptions.of(wrong, has_customers=False)


def test_listed_customer_is_the_other_tables_own_name():
    listed = pa.table({"id": [1, 3], "registered_at": [date(2026, 1, 1)] * 2})
    columns = oc.Columns(customer="user_id", listed_customer="id")
    history = oc.OrderHistory.build(ORDERS, listed, columns=columns)
    assert sorted(history.profile("2026-02-01")["customer_id"].to_pylist()) == [1, 2, 3]
    assert history.summary().unknown == 1
    with pytest.raises(oc.DataError, match="customers: id is null"):
        oc.OrderHistory.build(
            ORDERS,
            pa.table({"id": [None, 3], "registered_at": [date(2026, 1, 1)] * 2}),
            columns=columns,
        )


def test_without_an_amount_none_is_read_and_all_are_zero():
    columns = oc.Columns(customer="user_id", amount=None)
    for order in (None, "order_id"):
        orders = ORDERS.drop_columns("amount").append_column("order_id", pa.array(["a", "b", "c"]))
        history = oc.OrderHistory.build(orders, columns=dataclasses.replace(columns, order=order))
        assert history.summary().orders == 3
        assert not grouped_orders(history).spec.has_amount


def test_a_pyarrow_expression_is_named_by_its_text_and_travels():
    columns = oc.Columns(amount=pc.field("q") * pc.field("p"))
    assert columns.amount == "q * p"
    assert columns == oc.Columns(amount="q * p")
    back = deepcopy(columns)
    assert back == columns
    assert back.amount.expression.equals(pc.field("q") * pc.field("p"))


def test_two_roles_of_one_column_are_refused():
    with pytest.raises(oc.ConfigError, match="one column twice"):
        oc.Columns(customer="a", order="a")
    with pytest.raises(oc.ConfigError, match="one column twice"):
        oc.Columns(listed_customer="registered_at")
