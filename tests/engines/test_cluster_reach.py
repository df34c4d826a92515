"""Whom events reached, on a cluster against one machine."""

import re

import dask as configured
import pytest
from support.cluster_streams import TOUCHED, streams
from support.dask_shops import framed

import ordercycle as oc
from ordercycle.engines import dask

SHOP = streams()


@pytest.fixture(autouse=True)
def one_thread():
    with configured.config.set(scheduler="sync"):
        yield


@pytest.mark.parametrize("partitions", [1, 3, 7])
@pytest.mark.parametrize(
    "months", [None, "2025-11", ("2025-03", "2025-12"), ("1999-01", "1999-02")]
)
@pytest.mark.parametrize("where", [None, "kind == 'click' and channel != 'SMS'"])
def test_equal_to_one_machine(where, months, partitions):
    """Of months in which nobody was reached, too."""
    events = SHOP.events if where is None else SHOP.events.where(where)
    expected = oc.reach(events, months)
    how = {"columns": TOUCHED, "where": where, "partitions": partitions}
    found = dask.reach(framed(SHOP.touches, 4), months, **how)
    assert found.to_table().equals(expected.to_table())
    assert repr(found) == repr(expected)
    if months is None:
        assert found.between("2025-10", "2025-12") == expected.between("2025-10", "2025-12") > 10


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"months": "2025-13"}, oc.ConfigError, "2025-13"),
        ({"where": "kind == 'clikc'"}, oc.ConfigError, "no value of kind equals 'clikc'"),
        ({"where": "knid == 'click'"}, oc.ColumnError, "knid"),
        ({"only": "kind == 'nothing at all'"}, oc.ConfigError, "there are no events"),
        ({"timezon": "UTC"}, oc.ConfigError, "'timezon'"),
        ({"missing": "empty"}, oc.ConfigError, "finds nothing to act on"),
        ({"memory_limit": "1 B"}, oc.ConfigError, "memory_limit"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(asked, error, says):
    with pytest.raises(error, match=re.escape(says)):
        dask.reach(framed(SHOP.touches, 2), **{"columns": TOUCHED, "partitions": 3} | asked)


def test_files_and_options_of_a_build(tmp_path):
    import pyarrow.parquet as pq

    pq.write_table(SHOP.touches, tmp_path / "touches.parquet", row_group_size=300)
    options = {"columns": TOUCHED, "only": "channel == 'Email'", "timezone": "America/Lima"}
    expected = oc.reach(oc.EventHistory.build(SHOP.touches, **options))
    found = dask.reach(str(tmp_path), partitions=3, memory_limit="1GB", **options)
    assert found.to_table().equals(expected.to_table())
