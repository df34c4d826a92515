"""Lists against Python's sets; whom they reach, and what their files hold."""

import csv
import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.mailing import hashed

import ordercycle as oc

texts = st.lists(st.text("ab", min_size=1, max_size=4), unique=True, min_size=1, max_size=12)
integers = st.lists(st.integers(-(2**63), 2**63 - 1), unique=True, min_size=1, max_size=12)


def where(table, condition, name="x", **options):
    return oc.Audience.where(table, condition, name=name, **options)


def listed(ids, chosen, name, kind=None):
    table = pa.table({"customer_id": pa.array(ids, kind), "chosen": [one in chosen for one in ids]})
    return oc.Audience.where(table, "chosen", name=name)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), ids=texts | integers)
def test_sets(data, ids):
    choices = data.draw(st.lists(st.sets(st.sampled_from(ids)), min_size=1, max_size=4))
    lists = [listed(ids, one, f"l{place}") for place, one in enumerate(choices)]
    first, last = choices[0], choices[-1]
    for made, right in (
        (lists[0] | lists[-1], first | last),
        (lists[0] & lists[-1], first & last),
        (lists[0] - lists[-1], first - last),
    ):
        assert set(made.customers.to_pylist()) == right
        assert len(made) == len(right)
        order = listed(ids, right, "x").customers
        assert made.customers.equals(order)
    found = oc.overlap(lists)
    assert found.in_none == len([one for one in ids if not any(one in those for those in choices)])
    assert found.in_several == len(
        [one for one in ids if sum(one in those for those in choices) > 1]
    )
    for row in found.to_table().to_pylist():
        one, other = (choices[int(row[name][1:])] for name in ("audience", "other"))
        assert row["both"] == len(one & other)
        assert row["share"] == (len(one & other) / len(one) if one else None)
        assert row["jaccard"] == (len(one & other) / len(one | other) if one | other else None)


def test_values_and_revenue_follow_the_customers():
    table = pa.table({
        "customer_id": pa.array(["a", "b", "c", "d"]).dictionary_encode(),
        "revenue": pa.array([Decimal("1.10"), Decimal("2.20"), Decimal("4.40"), None]),
        "clv": [1, None, 3, 4],
    })  # fmt: skip
    one = oc.Audience.where(table, "revenue < 3", name="one", value="clv", as_of="2026-01-01")
    other = oc.Audience.where(
        table, "clv >= 3", name="other", value="clv", as_of=dt.date(2026, 1, 1)
    )
    found = (one | other).summary()
    assert (found.customers, found.share, found.revenue) == (4, 1.0, Decimal("7.70"))
    assert (found.value.mean, found.value.median, found.value.missing) == (8 / 3, 3.0, 1)
    assert found.as_of == dt.date(2026, 1, 1)
    assert (one - other).summary().revenue == Decimal("3.30")
    assert (one & other).summary().value.mean is None
    assert "nobody has one" in str((one & other).summary())


@pytest.mark.parametrize(
    ("kind", "amounts"),
    [
        (pa.int64(), [2**63 - 1, -1, None] * 3),
        (pa.decimal128(38, 2), [Decimal(f"{'9' * 36}.99"), Decimal("-0.01"), None] * 4),
        (pa.decimal128(38, 0), [Decimal(10**38 - 1), Decimal(1 - 10**38)] * 3 + [Decimal(-5)]),
        (pa.decimal128(5, -2), [Decimal(1200), Decimal(-100), None]),
        (pa.decimal256(40, 1), [Decimal("0.5"), Decimal("-7.5"), None]),
    ],
    ids=str,
)
def test_revenue_beyond_its_type(kind, amounts):
    """Tables come in chunks, of which one begins in the middle of a buffer."""
    table = pa.table({"customer_id": range(len(amounts)), "revenue": pa.array(amounts, kind)})
    table = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    found = where(table, "customer_id >= 0").summary()
    assert Fraction(found.revenue) == sum(Fraction(one) for one in amounts if one is not None)
    assert found.of_revenue == found.revenue


def test_the_day_is_that_of_the_profile():
    day = dt.date(2026, 3, 1)
    orders = pa.table({"customer_id": ["a", "b"], "ordered_at": [day, day], "amount": [1, 2]})
    profile = oc.OrderHistory.build(orders).profile("2026-04-01")
    found = where(profile, "revenue > 1 and has(orders, last=60)",
                              streams={"orders": oc.OrderHistory.build(orders)})  # fmt: skip
    assert (found.as_of, found.customers.to_pylist()) == (dt.date(2026, 4, 1), ["b"])


@pytest.mark.parametrize(
    ("does", "error", "says"),
    [
        (lambda t: where(t, "nothing > 1"), oc.ColumnError, "no column 'nothing'"),
        (lambda t: where(t, "n"), oc.ConfigError, "not true or false"),
        (lambda t: where(t, "n > 0", name=" "), oc.ConfigError, "no name of an audience"),
        (lambda t: where(t, "n > 0", value="m"), oc.ColumnError, "'m'"),
        (lambda t: where(t, "n > 0", value="text"), oc.ColumnError, "no value"),
        (lambda t: where(t, "has(s)"), oc.ConfigError, "as_of="),
        (lambda t: where(pa.concat_tables([t, t]), "n > 0"), oc.DataError, "already"),
        (
            lambda t: where(t.drop_columns(["customer_id"]), "n > 0"),
            oc.ColumnError,
            "customer_id",
        ),
        (lambda _: oc.overlap([]), oc.ConfigError, "no audiences"),
        (lambda t: oc.overlap([where(t, "n > 0")] * 2), oc.ConfigError, "called 'x'"),
        (
            lambda t: oc.overlap([where(t, "n > 0"), listed([7], [7], "y")]),
            oc.ConfigError,
            "different tables",
        ),
        (lambda t: where(t, "n > 0") | 5, oc.ConfigError, "no audience"),
        (lambda t: where(t, "n > 0") | listed(["a"], [], "y"), oc.ColumnError, "in common"),
        (lambda t: where(t, "n > 0").to_csv("x", None, "meta"), oc.ConfigError, "contacts"),
        (lambda t: where(t, "n > 0").to_csv("x", None, "mta"), oc.ConfigError, "'meta'"),
    ],
)
def test_what_makes_no_sense(does, error, says):
    table = pa.table({"customer_id": [1, 2], "n": [1, 2], "text": ["a", "b"]})
    with pytest.raises(error) as found:
        does(table)
    assert says in str(found.value)


def reach(people, columns, target="meta", **options):
    contacts = oc.Contacts(pa.table(people), columns, **options)
    table = pa.table(
        {
            "customer_id": people["customer_id"],
            "clv": [float(one) for one in range(len(people["customer_id"]))],
        }
    )
    audience = oc.Audience.where(table, "true", name="All", value="clv")
    return audience, contacts, audience.reach(contacts, target)


def test_an_address_of_several_customers_is_sent_once_with_the_largest_value(tmp_path):
    people = {
        "customer_id": [1, 2, 3, 4],
        "email": ["A@x.org", " a@x.org", "a@x.org", "d@x.org"],
        "phone": ["+34600000001", None, "+34600000003", "+34600000001"],
    }
    audience, contacts, found = reach(people, oc.ContactColumns())
    assert found.reachable + sum(found.unreachable.values()) == 4
    assert found.unreachable["shared_identifier"] >= 1
    audience.to_csv(tmp_path / "m.csv", contacts, "meta", hashed=False)
    rows = list(csv.reader((tmp_path / "m.csv").read_text().splitlines()))[1:]
    sent = [field for row in rows for field in (row[0], row[3]) if field]
    assert sorted(sent) == ["34600000001", "34600000003", "a@x.org", "d@x.org"]
    values = {row[0]: float(row[-1]) for row in rows}
    assert values["a@x.org"] >= 2


def test_garbage_in_each_field_blanks_it(tmp_path):
    junk = "\u202e\x00=cmd|' /C calc'!A0"
    people = {
        "customer_id": [1, 2], "email": ["ok@x.org", "b@x.org"], "email2": [junk, "b2@x.org"],
        "phone": [junk, "+34600000002"], "fn": [junk, "Bo"], "ct": [junk, "Ávila"],
        "st": [junk, None], "zip": [junk, "05001"], "country": [junk, "es"], "gender": [junk, "m"],
        "born": [junk, "1990-02-03"],
    }  # fmt: skip
    columns = oc.ContactColumns(
        email=("email", "email2"), first_name="fn", city="ct", state="st", zip="zip",
        country="country", gender="gender", born="born",
    )  # fmt: skip
    audience, contacts, found = reach(people, columns)
    assert (found.reachable, found.by_country) == (2, {"ES": 1, "unknown": 1})
    assert found.enough_for_lookalike == {"ES": False, "unknown": False}
    for target in ("meta", "google", "mailchimp", "klaviyo", "plain"):
        done = audience.to_csv(tmp_path / "f.csv", contacts, target, hashed=False)
        assert done.reachable == 2
        for row in csv.reader((tmp_path / "f.csv").read_text().splitlines()[1:]):
            for field in row:
                assert not field.lstrip("\u202e\x00").startswith(("=", "-", "@", "\t", "\r"))
                assert not field.startswith("+") or field[1:].isdigit()
    audience.to_csv(tmp_path / "f.csv", contacts, "meta", hashed=True)
    header, *rows = csv.reader((tmp_path / "f.csv").read_text().splitlines())
    (bo,) = (row for row in rows if row[1])
    right = ["b@x.org", "b2@x.org", "", "34600000002", "", "", None, "bo", "", "05001", "ávila",
             "", "es", "19900203", "1990", "m"]  # fmt: skip
    assert bo[:16] == [hashed(text) if text else "" for text in right]
    assert len(header) == 19


def test_more_columns_than_a_target_takes():
    people = {"customer_id": [1], **{f"e{one}": ["a@x.org"] for one in range(4)}}
    with pytest.raises(oc.ColumnError, match="3 columns 'email' at most"):
        reach(people, oc.ContactColumns(email=tuple(people)[1:], phone=()))


@pytest.mark.parametrize(
    ("columns", "options", "error"),
    [
        ({"email": ("mail",)}, {}, oc.ColumnError),
        ({"email": ("email", "email")}, {}, oc.ConfigError),
        ({"consent": "email"}, {}, oc.DataError),
        ({"consent": "list"}, {}, oc.ColumnError),
        ({"first_name": ""}, {}, oc.ConfigError),
        ({}, {"default_region": "Spain"}, oc.ConfigError),
        ({}, {"suppress": {"emials": []}}, oc.ConfigError),
        ({}, {"suppress": {"emails": "a@x.org"}}, oc.ConfigError),
        ({}, {"suppress": {"emails": [5]}}, oc.ConfigError),
        ({}, {"suppress": ["a"]}, oc.ConfigError),
    ],
)
def test_contacts_that_make_no_sense(columns, options, error):
    people = pa.table({"customer_id": [1], "email": ["a@x.org"], "list": [[1]]})
    with pytest.raises(error) as found:
        oc.Contacts(people, oc.ContactColumns(**{"phone": (), **columns}), **options)
    assert "a@x.org" not in str(found.value)


def test_consent_in_words_and_numbers():
    for consents, right in (
        (["yes", "No", None, " TRUE "], 2), ([1, 0, None, 1], 2), ([True, False, None, False], 1),
    ):  # fmt: skip
        people = {
            "customer_id": [1, 2, 3, 4],
            "email": [f"p{one}@x.org" for one in range(4)],
            "ok": consents,
        }
        *_, found = reach(people, oc.ContactColumns(phone=(), consent="ok"), "plain")
        assert (found.reachable, found.unreachable["no_consent"]) == (right, 4 - right)


def test_many_customers_in_several_tasks(tmp_path):
    count = 300_000
    ids = pa.array(np.arange(count))
    people = pa.table({"customer_id": ids, "email": [f"p{one}@x.org" for one in range(count)]})
    audience = oc.Audience.where(pa.table({"customer_id": ids}), "true", name="All")
    contacts = oc.Contacts(people, oc.ContactColumns(phone=()))
    audience.to_csv(tmp_path / "m.csv", contacts, "meta", threads=2)
    lines = (tmp_path / "m.csv").read_text().splitlines()[1:]
    wanted = audience.customers.to_pylist()
    for place in (0, 131_071, 131_072, count - 1):
        assert lines[place].partition(",")[0] == hashed(f"p{wanted[place]}@x.org")
    assert len(lines) == count
