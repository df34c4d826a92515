"""What partitions count of a report, as sums under names, and the report's numbers of these."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ordercycle._engines.credit_tasks import summary_of, sums_of_summary
from ordercycle._engines.named_sums import NAMED_SCHEMA, Name, from_table, to_batch
from ordercycle._report.blocks import Key
from ordercycle._report.counting import Counted
from ordercycle._report.cube import Cube
from ordercycle._report.report_spec import Plan
from ordercycle._report.sources import Sources, View

Int64s = NDArray[np.int64]

#: What sums are about, as the first part of their names; behind it comes the number of a plan.
CUBE, BLOCK, SUMMARY, UNFINISHED = "cube", "block", "summary", "unfinished"
POINTS_OF_OTHERS, UNCLEAR_POINTS = "points of others", "unclear points"
#: Stands for each brand that a partition does not know: what its customers are without orders of
#: it. To the cells of brands that it knows, only what differs from that is added.
ANY_OTHER = "\x1fany other"
#: Names of cells: their places are those of a plan, all others are digits.
OF_CELLS = (CUBE, BLOCK)


def batches_of(counted: Counted, plan: int) -> Iterator[pa.RecordBatch]:
    """Yield what was counted of a plan, as tables that add up with those of others."""
    sources = counted.sources
    for view, cube in counted.views.items():
        places, counts = cube.sparse()
        if view.brand not in (None, ANY_OTHER):
            others = counted.views[View(ANY_OTHER, view.target)].sparse()
            places = np.concatenate([places, others[0]])
            counts = np.concatenate([counts, -others[1]])
        yield cells_of((CUBE, plan, *view), places, counts)
    for name, cells in counted.blocks.items():
        keys = {number: key for key, number in cells.plan.keys.items()}
        views = _views_of(sources, name)
        for number, places, counts in cells.by_key():
            which, key = divmod(number, len(keys))
            yield cells_of((BLOCK, plan, name, *views[which], *keys[key]), places, counts)
    sums: dict[Name, Fraction | int] = {
        (SUMMARY, plan, *name): total for name, total in sums_of_summary(counted.summary).items()
    }
    sums |= {(UNFINISHED, plan, name, day): 1 for name, day in counted.unfinished}
    sums[UNCLEAR_POINTS, plan] = counted.unclear_points
    sums[POINTS_OF_OTHERS, plan] = counted.points_of_others
    yield to_batch(sums)


def _views_of(sources: Sources, block: str) -> dict[int, View]:
    """Return the views that a block tells apart, by its numbers; of those it does not, the first.

    The numbers depend on which brands there are, the views do not.
    """
    numbers = [(sources.number_of(view, block), view) for view in sources.views]
    return {number: view for number, view in reversed(numbers) if number is not None}


def cells_of(name: Name, places: Int64s, counts: Int64s) -> pa.RecordBatch:
    """Return cells as a table of sums under a name."""
    keys = pa.repeat(json.dumps(name), places.size)
    arrays = [keys, pa.array(places, pa.int64()), pa.array(counts, pa.int64())]
    return pa.RecordBatch.from_arrays(arrays, schema=NAMED_SCHEMA)


@dataclass(frozen=True)
class ReportSums:
    """The sums of all partitions: cells by their names, and everything else."""

    cells: Mapping[Name, tuple[Int64s, Int64s]]
    others: Mapping[Name, Fraction]

    @classmethod
    def of(cls, table: pa.Table, of_cells: Sequence[str]) -> ReportSums:
        """Return the sums of a table in any order; of_cells: names that are followed by cells."""
        table = table.sort_by([("key", "ascending"), ("cell", "ascending")]).combine_chunks()
        encoded = table["key"].combine_chunks().dictionary_encode()
        codes = np.asarray(encoded.indices, np.int64)
        names: list[Name] = [tuple(json.loads(one)) for one in encoded.dictionary.to_pylist()]
        bounds = np.searchsorted(codes, np.arange(len(names) + 1))
        places, counts = (table[name].to_numpy() for name in ("cell", "count"))
        cells, digits = {}, np.ones(table.num_rows, np.bool_)
        for number, name in enumerate(names):
            its = slice(bounds[number], bounds[number + 1])
            if name[0] in of_cells:
                cells[name] = places[its], counts[its]
                digits[its] = False
        return cls(cells, from_table(table.filter(pa.array(digits))))

    def places(self, name: Name) -> Int64s:
        """Return the places of cells that are not 0."""
        return self.cells[name][0] if name in self.cells else np.zeros(0, np.int64)

    def counted(self, number: int, plan: Plan, sources: Sources, until: int | None) -> Counted:
        """Return what is counted of a plan; sources: with the names of all partitions."""
        made = Counted.nothing(plan, sources)
        for name, (places, counts) in self.cells.items():
            what, *rest = name
            if what not in OF_CELLS or rest.pop(0) != number:
                continue
            texts = [None if one is None else str(one) for one in rest]
            if what == CUBE:
                brand, target = texts
                found = Cube.dense(plan, places, counts)
                for view in made.views:
                    is_its = view.brand == brand or (view.brand is not None and brand == ANY_OTHER)
                    if is_its and view.target == target:
                        made.views[view] = made.views[view].plus(found)
                continue
            block, brand, target, *key = texts
            view = View(brand, str(target))
            if view in made.views:  # no order has some of the brands of touches
                cells, keys = made.blocks[str(block)], made.blocks[str(block)].plan.keys
                behind = sources.number_of(view, str(block)) or 0
                cells.add_by_key(behind * len(keys) + keys[Key(*key)], places, counts)
        of_plan = {
            (name[0], *name[2:]): total
            for name, total in self.others.items()
            if len(name) > 1 and name[1] == number
        }
        since = sources.unfinished_since(until)
        made.unfinished |= {
            (str(name[1]), int(name[2] or 0))
            for name in of_plan
            if name[0] == UNFINISHED and int(name[2] or 0) >= since
        }
        made.unclear_points = int(of_plan.get((UNCLEAR_POINTS,), 0))
        made.points_of_others = int(of_plan.get((POINTS_OF_OTHERS,), 0))
        if sources.touched is not None:
            sums = {name[1:]: total for name, total in of_plan.items() if name[0] == SUMMARY}
            made.summary = summary_of(sources.touched.scan, sums)
        return made
