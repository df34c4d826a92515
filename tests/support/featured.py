"""Customers and what is asked of their events."""

import pyarrow as pa
from hypothesis import assume
from hypothesis import strategies as st
from support.events import days_near, feature_text, features
from support.strategies import CUSTOMER_KINDS, layouts

import ordercycle as oc
from ordercycle._features.language import parsed_feature


def alike(kind, customers):
    """Return types of columns that may have the same customers."""
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    if plain == pa.uint64() or isinstance(plain, pa.BaseExtensionType):
        return [plain]
    if pa.types.is_integer(plain):
        return [plain, pa.int64(), pa.dictionary(pa.int32(), pa.int64())]
    if isinstance(CUSTOMER_KINDS[kind][0], str):
        return [
            pa.string(),
            pa.large_string(),
            pa.string_view(),
            pa.dictionary(pa.int16(), pa.large_string()),
        ]
    fixed = [pa.binary(16)] if all(len(one) == 16 for one in customers) else []
    return [pa.binary(), pa.large_binary(), *fixed]


@st.composite
def profiles(draw, kind, known):
    """Draw customers in any order, known and unknown ones, and a table of them."""
    possible = dict.fromkeys(one for one in CUSTOMER_KINDS[kind] if one not in ("", b""))
    missing = draw(st.lists(st.sampled_from(sorted(known, key=repr)))) if known else []
    customers = draw(st.permutations([one for one in possible if one not in missing]))
    customers = (
        customers[: draw(st.integers(0, len(customers)))] if draw(st.booleans()) else customers
    )
    columns = {
        "row": (list(range(len(customers))), pa.int64()),
        "customer_id": (customers, draw(st.sampled_from(alike(kind, customers)))),
    }
    return customers, draw(layouts()).table(columns)


@st.composite
def asked(draw, stream, base):
    """Draw features that can be written, and a day."""
    wanted = draw(st.lists(features(stream, base), min_size=1, max_size=4))
    for one in wanted:
        try:
            parsed_feature(feature_text(one, "s"))
        except oc.ConfigError as error:
            assume("is too large" not in error.what and "is after" not in error.what)
            raise
    return wanted, draw(days_near(stream, base))
