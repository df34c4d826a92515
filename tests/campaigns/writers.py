"""Everything that writes: how it is begun, done once more, and looked at.

A writer has versions of what it writes. `write(folder, version)` puts one in the place of another,
`found(folder)` says which is there, by a digest. Between two versions there is nothing else.
"""

import hashlib
import random
import re
import shutil
from datetime import date, timedelta
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq
from support.mailing import audience, people

import ordercycle as oc
from ordercycle._cli.app import cli

AS_OF = date(2026, 6, 1)
#: What is drawn in the names of parts.
DRAWN = re.compile(r"-[0-9a-f]{8}\.")


@cache
def orders(size, seed):
    """Return orders, the same for a seed."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    return pa.table(
        {
            "customer_id": [f"c{drawn.randrange(size // 4 + 1)}" for _ in range(size)],
            "ordered_at": [
                date(2025, 1, 1) + timedelta(days=drawn.randrange(500)) for _ in range(size)
            ],
            "amount": [drawn.randrange(10_000) for _ in range(size)],
        }
    )


@cache
def events(size, seed):
    """Return events, the same for a seed."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    table = orders(size, seed).rename_columns(["customer_id", "occurred_at", "price"])
    kinds = pa.array([drawn.choice(["click", "view"]) for _ in range(size)])
    return table.append_column("kind", kinds)


def digest(*tables):
    """Return a digest of values."""
    found = hashlib.sha256()
    for table in tables:
        found.update(repr(table.to_pydict()).encode())
    return found.hexdigest()


class Writer:
    """A file, or a folder of files, written in versions."""

    #: How many rows: the fewer, the more of the moments are those in which files change.
    rows = 300

    def __init__(self):
        self.known = {}

    def begin(self, folder):
        """Write version 0."""
        self.write(folder, 0)

    def write(self, folder, version):
        """Put a version in the place of the one before."""
        raise NotImplementedError

    def found(self, folder):
        """Return a digest of what is there; it must be that of a version."""
        raise NotImplementedError

    def files(self, folder):
        """Return the names of all files that are there, without what is drawn in them."""
        return sorted(DRAWN.sub(".", path.name) for path in folder.iterdir())


class SavedOrders(Writer):
    """`OrderHistory.save` over a history."""

    def write(self, folder, version):
        oc.OrderHistory.build(orders(self.rows, version), threads=1).save(folder)

    def found(self, folder):
        return digest(oc.OrderHistory.open(folder, threads=1).profile(AS_OF))


class AppendedOrders(SavedOrders):
    """`OrderHistory.append`."""

    def begin(self, folder):
        oc.OrderHistory.build(orders(self.rows, 0), threads=1).save(folder)

    def write(self, folder, version):
        history = oc.OrderHistory.open(folder, threads=1)
        history.append(orders(self.rows // 3, 100 + version), batch=str(version), repeated="skip")


class SavedEvents(Writer):
    """`EventHistory.save` over a stream."""

    columns = oc.EventColumns(attributes=["kind"], values=["price"])

    def write(self, folder, version):
        rows = events(self.rows, version)
        oc.EventHistory.build(rows, columns=self.columns, threads=1).save(folder)

    def found(self, folder):
        return digest(*oc.EventHistory.open(folder, threads=1).to_batches())


class AppendedEvents(SavedEvents):
    """`EventHistory.append`."""

    def begin(self, folder):
        super().write(folder, 0)

    def write(self, folder, version):
        stream = oc.EventHistory.open(folder, threads=1)
        stream.append(events(self.rows // 3, 100 + version), batch=str(version), repeated="skip")


class OneFile(Writer):
    """Whatever writes one file."""

    ending = ".csv"

    def path(self, folder):
        """Return where it is written."""
        return folder / f"result{self.ending}"

    def found(self, folder):
        return hashlib.sha256(self.path(folder).read_bytes()).hexdigest()


class ProfileFile(OneFile):
    """`ordercycle profile --out`."""

    def __init__(self, ending):
        super().__init__()
        self.ending = ending

    def begin(self, folder):
        for version in range(3):
            pq.write_table(orders(self.rows, version), folder / f"orders{version}.parquet")
        self.write(folder, 0)

    def write(self, folder, version):
        given = [str(folder / f"orders{version}.parquet"), "--as-of", str(AS_OF), "--quiet"]
        given += ["--out", str(self.path(folder)), "--overwrite", "--threads", "1"]
        cli.main(["profile", *given], standalone_mode=False)


class AudienceFile(OneFile):
    """`Audience.to_csv` of hashed addresses."""

    def write(self, folder, version):
        numbers = range(version * 10, version * 10 + 100)
        audience(numbers).to_csv(self.path(folder), people(numbers), "meta", threads=1)


class ReportFile(OneFile):
    """`SegmentReport.to_csv`."""

    def report(self, version):
        """Return a report."""
        history = oc.OrderHistory.build(orders(400, version), threads=1)
        membership = oc.Lifecycle().membership(history)
        return oc.SegmentReport.build(history, membership, period="2026-03")

    def write(self, folder, version):
        self.report(version).to_csv(self.path(folder))


class Page(ReportFile):
    """`SegmentReport.to_html`."""

    ending = ".html"

    def write(self, folder, version):
        self.report(version).to_html(self.path(folder))


WRITERS = {
    "save": SavedOrders,
    "append": AppendedOrders,
    "event save": SavedEvents,
    "event append": AppendedEvents,
    "parquet": lambda: ProfileFile(".parquet"),
    "csv": lambda: ProfileFile(".csv"),
    "arrow": lambda: ProfileFile(".arrow"),
    "audience": AudienceFile,
    "report": ReportFile,
    "page": Page,
}
#: Versions: what is there, and two more, the second of which has to succeed.
OLD, NEW, NEXT = 0, 1, 2


class Prepared:
    """A writer, what it wrote first, and digests of all that may be found."""

    def __init__(self, writer, folder):
        self.writer = writer
        self.base = folder
        folder.mkdir()
        writer.begin(folder)
        self.digests = {OLD: writer.found(folder)}
        self.files = {}
        for version in (NEW, NEXT):
            place = self.copied(folder.with_name(f"{folder.name}-{version}"))
            for one in range(1, version + 1):
                writer.write(place, one)
            self.digests[version] = writer.found(place)
            self.files[version] = writer.files(place)
            shutil.rmtree(place)

    def copied(self, place):
        """Return a fresh copy of the first version."""
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.base, place)
        return place
