"""Columns of dictionaries and runs are read as what they stand for, whatever they are for."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from support.order_files import AS_OF, orders

import ordercycle as oc

ENCODINGS = {
    "dictionary": lambda column: column.combine_chunks().dictionary_encode(),
    "runs": lambda column: pc.run_end_encode(column.combine_chunks()),
}


@pytest.mark.parametrize("is_file", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("column", ["customer_id", "ordered_at", "amount"])
@pytest.mark.parametrize("only", [None, "customer_id > 3 and amount > 1"])
def test_encoded_columns_are_what_they_stand_for(tmp_path, is_file, encoding, column, only):
    plain = orders(500)
    given = plain.set_column(
        plain.schema.get_field_index(column), column, ENCODINGS[encoding](plain[column])
    )
    expected = oc.OrderHistory.build(plain, only=only).profile(AS_OF)
    source = given
    if is_file:
        source = tmp_path / "orders.arrow"
        with pa.ipc.new_file(source, given.schema) as file:
            file.write_table(given)
    found = oc.OrderHistory.build(source, only=only).profile(AS_OF)
    found = found.set_column(0, "customer_id", found["customer_id"].cast(pa.int64()))
    expected = expected.sort_by("customer_id")
    assert found.sort_by("customer_id").to_pydict() == expected.to_pydict()
