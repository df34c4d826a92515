"""The recipe for Spark Structured Streaming: each micro-batch goes into a history on the driver."""

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

import ordercycle as oc

AS_OF = date(2026, 3, 1)
RULES = oc.Rules({"Regular": "orders >= 3"}, default="New")


def orders(*customers):
    return pa.table(
        {
            "customer_id": pa.array(customers, pa.int64()),
            "ordered_at": pa.array([date(2026, 1, 5)] * len(customers), pa.date32()),
            "amount": pa.array([10] * len(customers), pa.int64()),
        }
    )


def test_micro_batches_go_into_a_history_once(session, tmp_path):
    arriving, folder = tmp_path / "arriving", tmp_path / "history"
    arriving.mkdir()
    oc.OrderHistory.build(orders(1, 1, 2)).save(folder)
    for number, customers in enumerate([(1, 2), (2, 3)]):
        pq.write_table(orders(*customers), arriving / f"{number}.parquet")
    moves = []

    def take(frame, batch):
        # Spark repeats a batch after a crash, with its number: a name that is taken once.
        history = oc.OrderHistory.open(folder)
        _, moved = history.append_and_compare(
            frame.toArrow(), RULES, as_of=AS_OF, batch=f"spark {batch}", repeated="skip"
        )
        moves.extend((row["customer_id"], row["to_segment"]) for row in moved.to_pylist())

    def run():
        stream = session.readStream.schema("customer_id long, ordered_at date, amount long")
        stream = stream.option("maxFilesPerTrigger", 1).parquet(str(arriving)).writeStream
        stream = stream.foreachBatch(take).trigger(availableNow=True)
        stream.option("checkpointLocation", str(tmp_path / "checkpoint")).start().awaitTermination()

    run()
    assert sorted(moves) == [(1, "Regular"), (2, "Regular"), (3, "New")]
    run()  # nothing has arrived since
    take(session.createDataFrame(orders(3)), 1)  # and a batch that is repeated changes nothing
    assert oc.OrderHistory.open(folder).summary().orders == 7
    assert len(moves) == 3
