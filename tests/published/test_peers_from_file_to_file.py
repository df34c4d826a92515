"""ordercycle, DuckDB and Polars write the same profiles from the same file."""

import sys
from pathlib import Path

import pyarrow as pa
import pytest

for engine in ("duckdb", "polars"):
    pytest.importorskip(engine)

sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.peers.files import OURS, TWICE, compare_results  # noqa: E402
from benchmarks.peers.generate import (  # noqa: E402
    PIECE_ROWS,
    Workload,
    order_pieces,
    order_table,
)


@pytest.mark.parametrize("ids", ["int64", "string"])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_engines_write_the_same_profiles(tmp_path, kind, ids):
    workload = Workload(orders=20_000, ids=ids)
    found = compare_results(workload, [OURS, TWICE, "duckdb", "polars"], tmp_path, kind)
    assert found == {TWICE: [], "duckdb": [], "polars": []}


def test_pieces_are_the_table():
    workload = Workload(orders=PIECE_ROWS + 7)
    pieces = list(order_pieces(workload))
    assert len(pieces) == 2
    assert pa.concat_tables(pieces).combine_chunks().equals(order_table(workload))
