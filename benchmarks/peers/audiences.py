"""Lists that leave the house: choosing members, hashing, files, differences and state.

``python -m benchmarks.peers.audiences --customers 10000000`` measures, in one run and without a
vendor: a list of a condition over a profile; e-mail addresses and telephone numbers of its members
normalised and hashed for Meta; the CSV file of them; the rows that a sync compares, with the state
read from the disk and the plan made; and the bytes that the state takes. A tenth of the addresses
changes between the two days, and a tenth of the members leaves.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

import ordercycle as oc
from ordercycle._audiences.contacts import people_of
from ordercycle._audiences.members import Members, members_of
from ordercycle._audiences.sending import rows_to_send
from ordercycle._audiences.targets import target_of
from ordercycle._sync.digests import TEXT
from ordercycle._sync.plans import plan_of
from ordercycle._sync.sent_rows import Wanted, as_sent
from ordercycle._sync.state_folder import AudienceFolder
from ordercycle.connect import Meta

#: As many as take all ways through the code that larger numbers do.
WARM_UP = 300_000
Made = TypeVar("Made")


class Figure(NamedTuple):
    """A row of the table: what was done, and seconds of the clock and of all processors."""

    what: str
    seconds: float
    cpu: float
    per_customer: str


def timed(function: Callable[[], Made]) -> tuple[Made, float, float]:
    """Return what a function returns, and the seconds that it took, of clock and processors."""
    clock, cpu = time.perf_counter(), time.process_time()
    found = function()
    return found, time.perf_counter() - clock, time.process_time() - cpu


def profile_of(customers: int) -> pa.Table:
    """Return a profile with values, in the order that profiles have."""
    random = np.random.default_rng(1)
    ids = pa.table({"customer_id": np.arange(customers)})
    return pa.table(
        {
            "customer_id": oc.Audience.where(ids, "true", name="Everybody").customers,
            "orders": random.integers(1, 20, customers),
            "clv": random.gamma(2.0, 100.0, customers),
        }
    )


def contacts_of(customers: int, changed: float) -> oc.Contacts:
    """Return an address and a number of each customer; a share of the addresses is another."""
    numbers = pa.array(np.arange(customers))
    texts = numbers.cast(TEXT)
    is_other = np.random.default_rng(2).random(customers) < changed
    hosts = pc.if_else(pa.array(is_other), "@other.example.com", "@example.com").cast(TEXT)
    emails = joined("Customer.", texts, hosts)
    phones = joined("+346", pc.utf8_lpad(texts, 8, "0"))
    return oc.Contacts(pa.table({"customer_id": numbers, "email": emails, "phone": phones}))


def joined(*parts: Any) -> pa.Array:
    """Return texts one behind the other."""
    texts = [pa.scalar(one, TEXT) if isinstance(one, str) else one for one in parts]
    return pc.binary_join_element_wise(*texts, pa.scalar("", TEXT))


def prepared(audience: oc.Audience, contacts: oc.Contacts, threads: int) -> Members:
    """Return the members of an audience as Meta is told of them."""
    found = audience._listed  # noqa: SLF001 - what is measured has no public name
    people = people_of(contacts)
    return members_of(
        found.customers, None, people, target_of("meta"), keep_texts=False, threads=threads
    )


def figures(customers: int, threads: int, folder: Path) -> Iterator[Figure]:
    """Yield what each step takes."""

    def each(seconds: float, unit: float, name: str) -> str:
        return f"{seconds / customers * unit:.3g} {name}"

    profile = profile_of(customers)

    def listed(least: int) -> oc.Audience:
        condition = f"orders >= {least} and clv >= 0"
        return oc.Audience.where(profile, condition, name="Top", value="clv", threads=threads)

    audience, clock, cpu = timed(lambda: listed(1))
    yield Figure("condition and list", clock, cpu, each(clock, 1e9, "ns"))
    contacts = contacts_of(customers, 0.0)
    members, clock, cpu = timed(lambda: prepared(audience, contacts, threads))
    yield Figure("normalise and hash e-mail and phone", clock, cpu, each(clock, 1e6, "µs"))
    path = folder / "top.csv"
    _, clock, cpu = timed(lambda: audience.to_csv(path, contacts, "meta", threads=threads))
    yield Figure("the same and the CSV file", clock, cpu, f"{path.stat().st_size:,} bytes in all")
    path.unlink()
    connection: Any = Meta(account="1", token="none")._connection  # noqa: S106, SLF001 - unused
    before = rows_to_send(members, connection, threads=threads)
    state = AudienceFolder(folder / "state", "meta:1", "Top")
    state.folder.mkdir(mode=0o700)
    remembered = as_sent(before.table, connection.layout, stale=False)
    _, clock, cpu = timed(lambda: state.write_sent(remembered, {"remote": "1"}))
    size = sum(one.stat().st_size for one in state.folder.iterdir())
    yield Figure("write the state", clock, cpu, f"{size / customers:.3g} bytes")
    saved, clock, cpu = timed(state.sent)
    yield Figure("read the state, checksum included", clock, cpu, each(clock, 1e9, "ns"))
    if saved is None:
        raise SystemExit("the state that was written is not there")
    other = contacts_of(customers, 0.1)
    after = rows_to_send(prepared(listed(3), other, threads), connection, threads=threads)
    for what, wanted in (("nobody changed", before), ("one in five changed", after)):
        plan, clock, cpu = timed(lambda wanted=wanted: planned(saved.table, wanted, connection))
        yield Figure(f"compare and plan, {what}", clock, cpu, f"{plan:,} rows to send")


def planned(sent: pa.Table, wanted: Wanted, connection: Any) -> int:
    """Return how many rows a sync would send."""
    return int(plan_of(sent, wanted, connection, "changes").table.num_rows)


def main() -> None:
    """Print a table of what each step takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="a folder of a disk with room")
    options = parser.parse_args()
    with TemporaryDirectory(dir=options.folder) as folder:
        for _ in figures(WARM_UP, options.threads, Path(folder)):
            pass  # kernels are loaded
    print(f"{options.customers:,} customers, {options.threads} threads")
    print("| | seconds | seconds of CPU | per customer |")
    print("|---|---|---|---|")
    with TemporaryDirectory(dir=options.folder) as folder:
        for one in figures(options.customers, options.threads, Path(folder)):
            print(f"| {one.what} | {one.seconds:.3f} | {one.cpu:.3f} | {one.per_customer} |")


if __name__ == "__main__":
    main()
