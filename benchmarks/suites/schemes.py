"""Schemes on a profile in memory, on warm code."""

import pyarrow as pa
from benchmarks.peers.generate_profiles import profile_table

import ordercycle as oc

SCHEMES = {"lifecycle": oc.Lifecycle(), "cadence": oc.Cadence(), "rfm": oc.Rfm()}
TYPES = {"float64": pa.float64(), "decimal128": pa.decimal128(18, 2)}


class _Profile:
    param_names = ("customers", "revenue")
    params = ((10_000, 1_000_000), tuple(TYPES))
    timeout = 120

    def setup(self, customers, revenue):
        table = profile_table(customers)
        place = table.schema.get_field_index("revenue")
        self.table = table.set_column(place, "revenue", table["revenue"].cast(TYPES[revenue]))
        self.fitted = {
            name: scheme if name == "lifecycle" else scheme.fit(self.table)
            for name, scheme in SCHEMES.items()
        }
        for scheme in self.fitted.values():
            scheme.assign(self.table)


class Fit(_Profile):
    """From a profile to a fitted scheme."""

    def time_cadence(self, *_):
        SCHEMES["cadence"].fit(self.table)

    def time_rfm(self, *_):
        SCHEMES["rfm"].fit(self.table)

    def peakmem_rfm(self, *_):
        SCHEMES["rfm"].fit(self.table)


class Assign(_Profile):
    """From a fitted scheme to segments."""

    def time_lifecycle(self, *_):
        self.fitted["lifecycle"].assign(self.table)

    def time_cadence(self, *_):
        self.fitted["cadence"].assign(self.table)

    def time_rfm(self, *_):
        self.fitted["rfm"].assign(self.table)
