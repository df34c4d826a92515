"""Events on warm code: grouped, and features of them."""

from benchmarks.peers import ordercycle_events
from benchmarks.peers.asked_features import FEW, MANY, MIXED
from benchmarks.peers.generate import AS_OF
from benchmarks.peers.generate_events import EventWorkload, event_table

FEATURES = {"8 counts": FEW, "64 counts": MANY, "8 of all kinds": MIXED}


class Build:
    """From the table of events to the grouped history."""

    param_names = ("customers", "events_per_customer")
    params = ((10_000, 100_000), (5, 50))
    timeout = 120

    def setup(self, customers, events_per_customer):
        workload = EventWorkload(events=customers * events_per_customer, customers=customers)
        self.events = event_table(workload)
        ordercycle_events.build(self.events)

    def time_build(self, *_):
        ordercycle_events.build(self.events)

    def peakmem_build(self, *_):
        ordercycle_events.build(self.events)


class Features:
    """From the grouped history to columns of its customers."""

    param_names = ("customers", "events_per_customer", "features")
    params = ((10_000, 100_000), (5, 50), tuple(FEATURES))
    timeout = 120

    def setup(self, customers, events_per_customer, features):
        workload = EventWorkload(events=customers * events_per_customer, customers=customers)
        self.history = ordercycle_events.build(event_table(workload, with_values=True))
        self.profile = ordercycle_events.customers(self.history)
        self.count(features)

    def count(self, features):
        return ordercycle_events.count(self.history, self.profile, FEATURES[features], AS_OF)

    def time_features(self, _customers, _events, features):
        self.count(features)

    def peakmem_features(self, _customers, _events, features):
        self.count(features)
