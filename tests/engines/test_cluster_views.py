"""Views of orders on a cluster against one machine, bit for bit, and what is said of typos."""

import pickle
import warnings
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.build_options import BY_MAIL, ORDERS
from support.dask_shops import computed, framed
from support.events import conditions, order_event_cases
from support.histories import decoded
from support.layouts import Layout
from support.order_details import detailed, options, tables
from support.shops import assert_same_bits
from support.shuffles import job_for, run, shuffled, with_sortable_ids

import ordercycle as oc
from ordercycle._engines.cluster_views import View
from ordercycle._engines.partition_tasks import Profiles
from ordercycle.engines import dask

AS_OF = "2026-04-20"
COLUMNS = oc.Columns(
    customer="mail",
    time="instant",
    attributes=["status", "lower(note)", "is_odd"],
    values=["quantity"],
    instants=True,
    registered="since",
)
STATUSES = pa.table({"status": ["paid", "shipped", "lost"], "group": ["good", "good", "bad"]})
OPTIONS = {"columns": COLUMNS, "lookups": {"status": STATUSES}}
BARE = {"columns": replace(COLUMNS, registered=None)}
CUSTOMERS = pa.table({"mail": ["Ann", "zoe"], "since": pa.array([20_000, 20_100], pa.date32())})
CONDITIONS = [
    "status == 'paid'",
    "status.group == 'good' and quantity > 1",
    "not status in ('paid', 'cancelled') or is_odd",
    "amount > 50",
    pc.field("status") == "shipped",
]


@pytest.fixture(scope="module")
def orders():
    return ORDERS.append_column("is_odd", pc.equal(pc.bit_wise_and(ORDERS["basket"], 1), 1))


def outcome(work):
    """Return a table, or what an error says before it names values, of which tasks have some."""
    try:
        return with_sortable_ids(decoded(work())), None
    except oc.ConfigError as error:
        return None, (error.column, error.what.partition(" (did you mean")[0])


@settings(max_examples=40)
@given(
    case=order_event_cases(max_rows=20),
    partitions=st.sampled_from([1, 2, 7]),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_any_condition_over_orders_in_any_pieces(case, partitions, seed, data):
    layout = Layout(seed)
    try:
        history = detailed(case, layout)
        stream = case.stream()
    except oc.OrdercycleError:
        assume(False)  # noqa: FBT003 - as Hypothesis has it
    condition = str(data.draw(conditions(stream)))
    missing = data.draw(st.sampled_from(["error", "empty"]))
    asked = case.case.as_of, case.case.window_days
    frames = tables(case, layout)
    repeatable = data.draw(st.booleans())
    whole = job_for(*frames, repeatable=repeatable, partitions=partitions, **options(case))
    job = pickle.loads(pickle.dumps(whole.where(View(condition, missing))))  # noqa: S301 - our own
    arrived = shuffled(job, frames, seed)
    found, refused = outcome(lambda: run(job, arrived, Profiles(*asked)))
    expected, error = outcome(lambda: history.where(condition, missing=missing).profile(*asked))
    assert refused == error
    if expected is not None:
        assert_same_bits(found, expected)


@pytest.mark.parametrize("where", CONDITIONS, ids=str)
def test_profiles_of_dask(orders, where):
    history = oc.OrderHistory.build(orders, CUSTOMERS, **OPTIONS)
    expected = history.where(where).profile(AS_OF)
    assert not expected.equals(history.profile(AS_OF))
    assert expected.num_rows == history.profile(AS_OF).num_rows
    for pieces, partitions in ((3, 1), (2, 3), (5, 8)):
        there = framed(orders, pieces), framed(CUSTOMERS, 1)
        found = dask.profile(*there, as_of=AS_OF, where=where, partitions=partitions, **OPTIONS)
        assert_same_bits(computed(found, scheduler="sync"), expected)


def test_files_and_the_shuffle_of_dask(orders, tmp_path):
    import dask as configured
    import pyarrow.parquet as pq

    pq.write_table(orders, tmp_path / "orders.parquet", row_group_size=50)
    where = "status == 'paid'"
    expected = oc.OrderHistory.build(orders, CUSTOMERS, **OPTIONS).where(where).profile(AS_OF)
    with configured.config.set({"dataframe.shuffle.method": "tasks"}):
        found = dask.profile(
            str(tmp_path), framed(CUSTOMERS, 1), as_of=AS_OF, where=where, partitions=3, **OPTIONS
        )
        assert_same_bits(computed(found, scheduler="sync"), expected)


@pytest.mark.parametrize("where", ["status == 'paid'", "status.group == 'good'"])
def test_fits_and_reports_of_dask(orders, where):
    view = oc.OrderHistory.build(orders, CUSTOMERS, **OPTIONS).where(where)
    there = framed(orders, 3), framed(CUSTOMERS, 1)
    more = {"where": where, "partitions": 3, **OPTIONS}
    asked = {"period": ("2026-03", "2026-04"), "compare": "previous_period"}
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", oc.OrdercycleWarning)
        expected = oc.SegmentReport.build(view, oc.Lifecycle().membership(view), **asked)
        here = [str(one.message) for one in warned]
        found = dask.segment_report(there[0], oc.Lifecycle(), there[1], **asked, **more)
    assert [str(one.message) for one in warned] == here * 2
    assert found.as_of == expected.as_of
    assert found.comparison().equals(expected.comparison())
    with pytest.warns(oc.OrdercycleWarning, match=r"fitted from \d customers"):
        fitted = dask.fit_lifecycle(*there, as_of=AS_OF, **more)
    with pytest.warns(oc.OrdercycleWarning, match=r"fitted from \d customers"):
        assert fitted == oc.Lifecycle().fit(view, AS_OF)


def test_segments_of_a_view(orders):
    view = oc.OrderHistory.build(orders, **OPTIONS | BARE).where("status == 'paid'")
    profiles = dask.profile(
        framed(orders, 3), as_of=AS_OF, where="status == 'paid'", partitions=2, **OPTIONS | BARE
    )
    scheme = oc.Lifecycle()
    names = ["customer_id", "lifecycle"]
    found = dask.assign(profiles, scheme)[names].astype({"lifecycle": "string[pyarrow]"})
    expected = scheme.assign(view.profile(AS_OF)).select(names)
    plain = expected.set_column(1, names[1], expected[names[1]].cast(pa.large_string()))
    assert_same_bits(computed(found, scheduler="sync"), plain)


def test_what_is_wrong_with_a_condition_is_said_at_once(orders):
    there = framed(orders, 2)

    def asked(where, missing="error"):
        return dask.profile(there, as_of=AS_OF, where=where, missing=missing, **OPTIONS | BARE)

    with pytest.raises(oc.ColumnError, match=r"no column 'stauts'.*'status'"):
        asked("stauts == 'paid'")
    with pytest.raises(oc.ColumnError, match="there is no column 'mail'"):
        asked("mail == 'Ann'")
    with pytest.raises(oc.ConfigError, match="not true or false"):
        asked("quantity + 1")
    with pytest.raises(oc.ConfigError, match="missing='none' is not an option"):
        asked("status == 'paid'", "none")
    with pytest.raises(oc.ConfigError, match="is no condition"):
        asked(7)
    with pytest.raises(oc.ConfigError, match="missing='empty' finds nothing to act on"):
        asked(None, "empty")
    with pytest.raises(oc.ConfigError, match="orders have no attributes"):
        dask.profile(there, as_of=AS_OF, lookups={"status": STATUSES}, columns=BY_MAIL)


def test_typos_are_found_when_all_orders_were_read(orders):
    """One order has the text: tasks that do not have it must know, and rows without it must not."""
    rare = pa.array(["rare" if row == 17 else "often" for row in range(orders.num_rows)])
    one = orders.set_column(orders.schema.get_field_index("status"), "status", rare)
    there, options = framed(one, 5), {"as_of": AS_OF, "partitions": 8, **BARE}
    history = oc.OrderHistory.build(one, **BARE)
    for where in ("status == 'rare'", "not status == 'rare'"):
        found = dask.profile(there, where=where, **options)
        assert_same_bits(computed(found, scheduler="sync"), history.where(where).profile(AS_OF))
    found = dask.profile(there, where="status == 'oftne'", **options)
    typo = (
        r"no value of status equals 'oftne' at character 11 \(did you mean 'often'\?\); "
        r"there are .*'often'.* in this partition; missing='empty' takes it as it is"
    )
    with pytest.raises(oc.ConfigError, match=typo):
        found.compute(scheduler="sync")
    with pytest.raises(oc.ConfigError, match="no value of status equals 'oftne'"):
        dask.fit_lifecycle(there, where="status == 'oftne'", **options)
    taken = dask.profile(there, where="status == 'oftne'", missing="empty", **options)
    expected = history.where("status == 'oftne'", missing="empty").profile(AS_OF)
    assert_same_bits(computed(taken, scheduler="sync"), expected)
    found = dask.profile(
        there, where="status.group == 'godo'", lookups={"status": STATUSES}, **options
    )
    with pytest.raises(oc.ConfigError, match=r"equals 'godo'.*'good'.* there are 'bad', 'good'; "):
        found.compute(scheduler="sync")


def test_texts_of_rows_that_do_not_count_are_not_there(orders):
    """Guests, rows that `only` leaves out and refunds that are dropped bring no value."""
    place = orders.schema.get_field_index("status")
    marks = {
        "guest": orders["mail"].is_null(),
        "left out": pc.equal(orders["quantity"], 3),
        "refund": pc.less(orders["amount"], 0),
    }
    said = orders["status"]
    for text, rows in marks.items():
        said = pc.if_else(rows, text, said)
    marked = orders.set_column(place, "status", said)
    options = {"as_of": AS_OF, "only": "quantity != 3", "refunds": "drop", **BARE}
    for text in marks:
        found = dask.profile(framed(marked, 3), where=f"status == '{text}'", **options)
        with pytest.raises(oc.ConfigError, match=f"no value of status equals '{text}'"):
            found.compute(scheduler="sync")
    kept = dask.profile(
        framed(marked, 3), where="status in ('left out', 'refund')", **BARE, as_of=AS_OF
    )
    assert (kept.compute(scheduler="sync")["orders"] > 0).any()


def test_without_orders_any_text_may_be_asked_for(orders):
    there = framed(orders, 2)
    none = there[there["amount"] > 1e9]
    made = dask.profile(none, as_of=AS_OF, where="status == 'typo'", **BARE)
    assert len(made.compute(scheduler="sync")) == 0
