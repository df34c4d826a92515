"""The main job on warm code: compiled, loaded, and run once before the clock starts."""

from abc import ABC, abstractmethod
from tempfile import TemporaryDirectory

from benchmarks.peers.generate import AS_OF, Workload, order_table

import ordercycle as oc

COLUMNS = oc.Columns(customer="customer_id", time="ordered_at", amount="amount")


class _Sizes(ABC):
    param_names = ("customers", "orders_per_customer", "skew", "ids")
    params = ((10_000, 100_000), (2, 12), (0.0, 0.5), ("int64", "string", "uuid"))
    timeout = 120

    def setup(self, customers, orders_per_customer, skew, ids):
        workload = Workload(
            orders=customers * orders_per_customer, customers=customers, skew=skew, ids=ids
        )
        self.orders = order_table(workload)
        self.prepare()

    @abstractmethod
    def prepare(self):
        """Make what a benchmark needs besides the orders; a suite that needs nothing says so."""


class Build(_Sizes):
    """From the order table to the grouped history."""

    def prepare(self):
        self.build()

    def build(self, threads=None):
        return oc.OrderHistory.build(self.orders, columns=COLUMNS, threads=threads)

    def time_build(self, *_):
        self.build()

    def time_build_on_one_thread(self, *_):
        self.build(threads=1)

    def peakmem_build(self, *_):
        self.build()


class Profile(_Sizes):
    """From the grouped history to one row per customer."""

    def prepare(self):
        self.history = oc.OrderHistory.build(self.orders, columns=COLUMNS)
        self.history.profile(AS_OF)

    def time_profile(self, *_):
        self.history.profile(AS_OF)

    def time_profile_batches(self, *_):
        for _batch in self.history.profile_batches(AS_OF):
            pass

    def peakmem_profile(self, *_):
        self.history.profile(AS_OF)


class LookUp(_Sizes):
    """From a saved history to the rows of some customers."""

    def prepare(self):
        self.folder = TemporaryDirectory()
        self.history = oc.OrderHistory.build(self.orders, columns=COLUMNS).save(self.folder.name)
        self.some = self.orders["customer_id"].slice(0, 100)
        self.history.profile(AS_OF, customers=self.some)

    def teardown(self, *_):
        self.folder.cleanup()

    def time_profile_of_100(self, *_):
        self.history.profile(AS_OF, customers=self.some)


class Lifecycle(_Sizes):
    """From the profile to the segments."""

    def prepare(self):
        self.lifecycle = oc.Lifecycle()
        self.table = oc.OrderHistory.build(self.orders, columns=COLUMNS).profile(AS_OF)
        self.lifecycle.assign(self.table)

    def time_assign(self, *_):
        self.lifecycle.assign(self.table)


class Membership(_Sizes):
    """From the grouped history to the segment of every customer on every day."""

    def prepare(self):
        self.membership = oc.Lifecycle().membership(
            oc.OrderHistory.build(self.orders, columns=COLUMNS)
        )
        self.membership.to_table()

    def time_to_table(self, *_):
        self.membership.to_table()


class Report(_Sizes):
    """From the grouped history to a segment report, memberships included."""

    def prepare(self):
        self.history = oc.OrderHistory.build(self.orders, columns=COLUMNS)
        self.build()

    def build(self):
        membership = oc.Lifecycle().membership(self.history)
        return oc.SegmentReport.build(self.history, membership, period=("2025-10", "2025-12"))

    def time_build(self, *_):
        self.build()

    def peakmem_build(self, *_):
        self.build()


class WholeJob(_Sizes):
    """From the order table to the segments: what a nightly job runs."""

    def prepare(self):
        self.run()

    def run(self):
        history = oc.OrderHistory.build(self.orders, columns=COLUMNS)
        return oc.Lifecycle().assign(history.profile(AS_OF))

    def time_orders_to_segments(self, *_):
        self.run()

    def peakmem_orders_to_segments(self, *_):
        self.run()
