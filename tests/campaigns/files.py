"""Damaged files and folders: each is read as it was, or refused by an error that names it.

A process of its own reads them (`support.damage`), so that signals and hangs are seen as well.
Formats that carry no checksum may say something else without a word: those are counted.
"""

import gzip
import io
import json
import shutil
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl import Workbook
from support import damage

import ordercycle as oc
from campaigns.children import in_memory
from campaigns.runner import Campaign, FaultError

ROWS = 12
DAYS = [date(2026, 1, 1) + timedelta(days=7 * row) for row in range(ROWS)]
TEXTS = [f"customer-{row % 5:06d}" for row in range(ROWS)]
#: Places that are damaged at once, at most.
MOST_PLACES = 3
#: Of histories that are opened, how many unverified.
UNVERIFIED = 4


def orders(ids=TEXTS, amounts=None):
    """Return twelve orders."""
    amounts = amounts or [float(row) for row in range(ROWS)]
    return pa.table({"customer_id": ids, "ordered_at": DAYS, "amount": amounts})


def events():
    """Return twelve events."""
    return pa.table(
        {
            "customer_id": TEXTS,
            "occurred_at": [datetime(2026, 1, 1) + timedelta(hours=row) for row in range(ROWS)],  # noqa: DTZ001 - local
            "event_id": [f"e{row}" for row in range(ROWS)],
            "kind": ["click", "view", None] * (ROWS // 3),
            "price": [1.5 * row for row in range(ROWS)],
        }
    )


def coded(table):
    """Return a table with codes in the place of kinds, as which larger files are read, too."""
    place = table.schema.get_field_index("kind")
    return table.set_column(place, "kind", table["kind"].dictionary_encode())


def arrow(table, compression=None):
    """Return an Arrow file."""
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet(table, **options):
    """Return a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def csv(table):
    """Return a CSV file."""
    rows = zip(*table.to_pydict().values(), strict=True)
    cells = ([("" if value is None else str(value)) for value in row] for row in rows)
    return "\n".join([",".join(table.column_names), *map(",".join, cells), ""]).encode()


def ndjson(table):
    """Return a file of JSON objects."""
    return "\n".join(json.dumps(row, default=str) for row in table.to_pylist()).encode()


def excel(table):
    """Return a workbook."""
    book, sink = Workbook(), io.BytesIO()
    book.active.append(table.column_names)
    for row in table.to_pylist():
        book.active.append(list(row.values()))
    book.save(sink)
    return sink.getvalue()


def repacked(content, random):
    """Return a workbook that is a sound archive of damaged parts."""
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as archive,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        names = archive.namelist()
        wrong = random.choice(names)
        for name in names:
            part = archive.read(name)
            packed.writestr(name, mutated(part, random) if name == wrong else part)
    return sink.getvalue()


def mutated(content, random):
    """Return damaged bytes."""
    for _ in range(random.randint(1, MOST_PLACES)):
        content = damage.mutant(content, random) if content else content
    return content


DICTIONARY = pa.array([*TEXTS[:-1], None]).dictionary_encode()
VIEWS = orders(pa.array(TEXTS, pa.string_view()))
DECIMALS = orders(pa.array(range(ROWS), pa.uint16()), [Decimal("1.25")] * ROWS)
LISTED = pa.table({"customer_id": TEXTS[:5], "registered_at": DAYS[:5]})
MEMBERSHIPS = pa.table(
    {
        "customer_id": TEXTS[:5],
        "segment": pa.array(["new", "old", "new", "gone", "old"]).dictionary_encode(),
        "valid_from": DAYS[:5],
        "valid_to": [DAYS[6], None, None, None, DAYS[9]],
    }
)
#: Files by their name: what reads them, and their bytes.
FILES = {
    "text.arrow": ("orders", arrow(orders())),
    "lz4.arrow": ("orders", arrow(orders(), "lz4")),
    "zstd.arrow": ("orders", arrow(orders(), "zstd")),
    "dictionary.arrow": ("orders", arrow(orders(DICTIONARY))),
    "view.arrow": ("orders", arrow(VIEWS)),
    "decimal.arrow": ("orders", arrow(DECIMALS)),
    "text.parquet": ("orders", parquet(orders())),
    "plain.parquet": ("orders", parquet(orders(), use_dictionary=False, compression="none")),
    "dictionary.parquet": ("orders", parquet(orders(DICTIONARY))),
    "checked.parquet": ("orders", parquet(orders(), write_page_checksum=True)),
    "second.parquet": ("orders", parquet(orders(), data_page_version="2.0", compression="zstd")),
    "decimal.parquet": ("orders", parquet(DECIMALS)),
    "orders.csv": ("orders", csv(orders())),
    "orders.csv.gz": ("orders", gzip.compress(csv(orders()), mtime=0)),
    "orders.ndjson": ("orders", ndjson(orders())),
    "orders.xlsx": ("orders", excel(orders())),
    "customers.arrow": ("customers", arrow(LISTED)),
    "customers.parquet": ("customers", parquet(LISTED)),
    "memberships.arrow": ("membership", arrow(MEMBERSHIPS)),
    "memberships.parquet": ("membership", parquet(MEMBERSHIPS)),
    "events.arrow": ("events", arrow(events())),
    "events.parquet": ("events", parquet(events())),
    "plain_events.parquet": (
        "events",
        parquet(events(), use_dictionary=False, compression="none", store_schema=False),
    ),
    "second_events.parquet": (
        "events",
        parquet(coded(events()), data_page_version="2.0", row_group_size=5),
    ),
    "events.csv": ("events", csv(events())),
    "events.ndjson": ("events", ndjson(events())),
    "events.xlsx": ("events", excel(events())),
}
FOLDERS = ("history", "event_history")
NAMES = (*FILES, *FOLDERS)


@dataclass
class State:
    """The process that reads, and what it reads of sound files and folders."""

    folder: Path
    reader: damage.Reader
    sound: dict[tuple[str, bool], str]
    saved: Path


@contextmanager
def state(folder):
    """Start the reader and let it read everything once as it should be."""
    oc.OrderHistory.build(orders()).save(folder / "history")
    oc.EventHistory.build(events(), columns=damage.stream_columns()).save(folder / "event_history")
    # On a disk, writing a mutant takes longer than reading it.
    with damage.Reader() as reader, in_memory(folder) as made:
        found = State(made, reader, {}, folder)
        for name, (use, content) in FILES.items():
            path = found.folder / name
            path.write_bytes(content)
            _expect(reader.read(use, path), {"sound"}, name)
            found.sound[name, False] = reader.digest
        for name in FOLDERS:
            for verify in (False, True):
                _expect(reader.read(name, folder / name, verify=verify), {"sound"}, name)
                found.sound[name, verify] = reader.digest
        yield found


def trial(random, state, totals):
    """Damage one file or folder and read it."""
    name = random.choice(NAMES)
    if name in FOLDERS:
        _damage_folder(name, random, state, totals)
        return
    use, content = FILES[name]
    kind = name.partition(".")[2]
    if kind == "xlsx" and random.randrange(2):
        content = repacked(content, random)
    elif kind == "csv.gz" and random.randrange(2):
        content = gzip.compress(mutated(gzip.decompress(content), random), mtime=0)
    else:
        content = mutated(content, random)
    path = state.folder / name
    path.write_bytes(content)
    options = (
        {"memory_limit": "1GB"} if use in ("orders", "events") and random.random() < 0.2 else {}
    )
    found = state.reader.read(use, path, **options)
    totals["files"] += 1
    _count(found, state.reader.digest == state.sound[name, False], totals, kind)
    _expect(found, {"sound", "refused"}, name)


def _damage_folder(name, random, state, totals):
    """Damage a file of a saved history, or leave one out."""
    folder = state.folder / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(state.saved / name, folder)
    path = random.choice(sorted(folder.iterdir()))
    if random.randrange(20) == 0:
        path.unlink()
    else:
        path.write_bytes(mutated(path.read_bytes(), random))
    verify = random.randrange(UNVERIFIED) > 0
    found = state.reader.read(name, folder, verify=verify)
    same = state.reader.digest == state.sound[name, verify]
    totals["files"] += 1
    kind = "folder" if verify else "folder, unverified"
    _count(found, same, totals, kind)
    _expect(found, {"sound", "refused"}, f"{name} ({path.name}, {verify=})")
    if verify and found == "sound" and not same:
        raise FaultError(f"{name} ({path.name}): another result without an error")


def _count(found, same, totals, kind):
    ending = "as it was" if same else "different"
    totals[f"{kind}: {ending if found == 'sound' else found[:7]}"] += 1


def _expect(found, allowed, name):
    if found not in allowed:
        raise FaultError(f"{name}: {found}")


CAMPAIGN = Campaign(
    "files",
    "damaged Parquet, Arrow, CSV, NDJSON, Excel and saved folders",
    "files",
    trial,
    state,
)
