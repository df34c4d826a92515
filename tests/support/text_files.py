"""Text files that tests write, and what is read of them."""

from support.order_files import AS_OF

import ordercycle as oc
from ordercycle._columns import Columns
from ordercycle._history.options import BuildOptions
from ordercycle._sources.opening import open_source

HEADER = "customer_id,ordered_at,amount,note\n"


def put(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def rows_of(path, read=None, columns=None, threads=2):
    """Return what a source reads, as text for ids, in the order of the rows."""
    wanted = BuildOptions(columns=columns or Columns(), read=read).orders_request
    with_source = open_source(path, wanted, threads)
    return [row for batch in with_source.batches for row in batch.to_pylist()]


def ids_of(path, read=None, **options):
    history = oc.OrderHistory.build(path, read=read, **options)
    return sorted(history.profile(AS_OF)["customer_id"].to_pylist())
