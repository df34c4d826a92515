"""Commands over a saved history: as over the files that it was built from."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.command_line import run

import ordercycle as oc
from ordercycle._cli.app import cli

FILES = ("orders.parquet", "--customers", "customers.parquet", "--order", "order_id")
FILES += ("--refund-of", "refund_of", "--attribute", "status")
SAVED = ("--history", "history")
WHERE = ("--where", "status == 'paid'")
COMMANDS = {
    "profile": ("profile", "--as-of", "2025-06-30", "--window-days", "200", *WHERE),
    "features": ("profile", "--as-of", "2025-06-30", "--features", "features.toml"),
    "clv": ("clv", "--as-of", "2025-06-30", "--model", "bg_nbd"),
    "report": ("report", "--period", "2025-06", "--scheme", "rfm", *WHERE),
    "credited": (
        "report",
        "--period",
        "2025-06",
        "--touches",
        "touches.parquet",
        "--by",
        "channel",
    ),
    "attribution": ("attribution", "--touches", "touches.parquet", "--threads", "1"),
    "dashboard": ("dashboard", "--scheme", "lifecycle", "--months", "2025-05:2025-06"),
}
NEEDED = {
    "profile": ("--as-of", "2025-06-30"),
    "clv": ("--as-of", "2025-06-30"),
    "report": ("--period", "2025-06"),
    "attribution": ("--touches", "touches.parquet"),
    "dashboard": ("--scheme", "lifecycle", "--out", "never.html"),
}
ENDINGS = {"report": "csv", "credited": "csv", "dashboard": "html"}


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """A folder with files and the history that was built from them, made the working directory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("shop"))
        shop = oc.datasets.generated(300, seed=4, touches=True)
        status = pa.array([("paid", "open")[row % 3 == 0] for row in range(len(shop.orders))])
        pq.write_table(shop.orders.append_column("status", status), "orders.parquet")
        pq.write_table(shop.customers, "customers.parquet")
        pq.write_table(shop.touches(), "touches.parquet")
        with open("features.toml", "w", encoding="utf-8") as file:
            file.write('[features]\nrecent = "count(orders, last=90)"\n')
        columns = oc.Columns(
            order="order_id", refund_of="refund_of", attributes=("status",), instants=True
        )
        oc.OrderHistory.build("orders.parquet", "customers.parquet", columns=columns).save(
            "history"
        )
        oc.EventHistory.build("touches.parquet").save("events")
        yield


@pytest.mark.filterwarnings("ignore::ordercycle.OrdercycleWarning")
@pytest.mark.parametrize("name", COMMANDS)
def test_a_saved_history_takes_the_place_of_files(name):
    command, *options = COMMANDS[name]
    ending = ENDINGS.get(name, "parquet")
    results, said = [], []
    for kind, orders in (("files", FILES), ("saved", SAVED)):
        out = f"{name}-{kind}.{ending}"
        done = run(command, *orders, *options, "--out", out)
        assert done.exit_code == 0, done.stderr
        said.append(done.stderr.replace(out, "out"))
        if ending == "parquet":
            results.append(pq.read_table(out))
        else:
            with open(out, "rb") as file:
                results.append(file.read())
    assert results[0] == results[1]
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("orders.parquet", *SAVED), "--history takes the place of ORDERS; leave one of them out"),
        ((), "or a saved history with --history"),
        ((*SAVED, "--sql", "select 1"), "--sql says nothing of --history, which has its own"),
        ((*SAVED, "--attribute", "status"), "--attribute says nothing of --history"),
        ((*SAVED, "--refunds", "net"), "--refunds says nothing of --history"),
        ((*SAVED, "--format", "csv"), "--format says nothing of --history"),
    ],
)
def test_what_a_history_has_is_not_said_again(arguments, says):
    done = run("profile", *arguments, "--as-of", "2025-06-30")
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())


def test_what_is_said_of_the_machine_is_checked():
    for option in (("--memory-limit", "much"), ("--spill-directory", ".")):
        done = run("profile", *SAVED, "--as-of", "2025-06-30", *option)
        assert done.exit_code
        assert option[0] in done.stderr


def test_a_limit_of_nothing_is_said():
    """Of streams that are built beside a history it is one."""
    limit = ("--memory-limit", "1GB")
    done = run("profile", *SAVED, "--as-of", "2025-06-30", *limit, "--out", "limited.parquet")
    assert done.exit_code == 0, done.stderr
    assert "--memory-limit limits nothing: --history is built already" in done.stderr
    done = run("attribution", *SAVED, "--touches", "touches.parquet", *limit, "--out", "a.csv")
    assert done.exit_code == 0, done.stderr
    assert "limits nothing" not in done.stderr


def test_remedies_say_how_to_save_a_history_anew():
    done = run("profile", *SAVED, "--as-of", "2025-06-30", "--where", "brand == 'x'")
    assert done.exit_code
    assert "--attribute" in done.stderr
    assert "save it anew, with OrderHistory.build(...)" in " ".join(done.stderr.split())
    # What is named is what tells, and no text that looks like it.
    done = run("profile", *SAVED, "--as-of", "2025-06-30", "--where", "status == ' --attribute '")
    assert done.exit_code
    assert " --attribute " in done.stderr
    assert "save it anew" not in done.stderr
    done = run("profile", *FILES, "--as-of", "2025-06-30", "--where", "brand == 'x'")
    assert done.exit_code
    assert "save it anew" not in done.stderr


def test_every_command_that_reads_orders_takes_one():
    readers = {
        name
        for name, command in cli.commands.items()
        if "orders" in (one.name for one in command.params)
    }
    assert readers == {options[0] for options in COMMANDS.values()}
    for name in readers:
        done = run(name, "orders.parquet", *SAVED, *NEEDED.get(name, ()))
        assert done.exit_code == 2
        assert "--history takes the place of ORDERS" in " ".join(done.stderr.split())


def test_other_folders_are_none():
    done = run("profile", "--history", "events", "--as-of", "2025-06-30")
    assert done.exit_code == 1
    assert "events holds an EventHistory, and no OrderHistory" in done.stderr
    done = run("profile", "--history", "nowhere", "--as-of", "2025-06-30")
    assert "there is no folder nowhere" in done.stderr
    done = run("profile", "--history", "s3://shop/history", "--as-of", "2025-06-30")
    assert "--history s3://shop/history is a URI" in done.stderr


def test_a_history_among_files_is_opened_with_a_flag():
    done = run("profile", "history", "--as-of", "2025-06-30")
    assert done.exit_code == 1
    assert "is a history that was saved, and no table of rows; open orders with --history" in (
        done.stderr
    )
