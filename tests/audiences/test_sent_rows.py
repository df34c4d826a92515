"""Rows of two days compared, against sets of Python."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ordercycle._sync.connection import Layout
from ordercycle._sync.digests import DIGEST, NO_DIGEST
from ordercycle._sync.sent_rows import holders

#: Few that differ at both ends, so that many are equal, or begin alike.
DIGESTS = st.builds(
    lambda first, last: bytes([first] * 8) + bytes(23) + bytes([last]),
    st.integers(0, 3),
    st.integers(0, 3),
)
COLUMNS = st.lists(st.tuples(DIGESTS, DIGESTS), max_size=30)


@given(COLUMNS, COLUMNS, st.randoms(use_true_random=False))
def test_who_is_found_by_what_is_removed(wanted, removed, random):
    layout = Layout(("email", "phone"))

    def table(rows):
        columns = list(zip(*rows, strict=True)) or [(), ()]
        return pa.table(
            {
                name: pa.array(one, DIGEST)
                for name, one in zip(layout.identifiers, columns, strict=True)
            }
        )

    rows = [row for row in range(len(wanted)) if random.random() < 0.7]
    found = holders(table(wanted), np.array(rows, np.int64), table(removed), layout)
    gone = [{row[column] for row in removed} - {NO_DIGEST} for column in range(2)]
    expected = [any(wanted[row][one] in gone[one] for one in range(2)) for row in rows]
    assert found.tolist() == expected
