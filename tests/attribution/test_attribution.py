"""Models of attribution: what is refused, what is warned of, presets, and repr."""

import datetime as dt
import pickle
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

import ordercycle as oc

MOMENT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOUR = timedelta(hours=1)

BAD_OPTIONS = [
    ({"model": "last_click"}, "did you mean 'last_touch'"),
    ({"compete": "groups"}, "did you mean 'group'"),
    ({"clock": "send"}, "choose from 'touch', 'delivery'"),
    ({"window": "5 days"}, "window='5 days'.* is no duration"),
    ({"window": "5w"}, "no duration"),
    ({"window": 5}, "no duration"),
    ({"window": timedelta(hours=-1)}, "not negative"),
    ({"window": timedelta.max}, "longer than 109,800 days"),
    ({"windows": {"click": "999999d"}}, "'999999d' of 'click' is longer than 109,800 days"),
    ({"window": f"{10**25}d"}, "longer than 109,800 days"),
    ({"groups": {"a": ("Email", "Email")}}, "'Email' is in 'a' twice"),
    ({"half_life": "200000d"}, "longer than 109,800 days"),
    ({"windows": {("SMS", "delivery"): "soon"}}, "'soon' of .*SMS.*no duration"),
    ({"windows": "12h"}, "names no windows"),
    ({"windows": {("SMS",): "1h"}}, "is no kind of touches"),
    ({"qualify": ()}, "names no touches"),
    ({"qualify": ("click", "click")}, "has a name twice"),
    ({"qualify": (3,)}, "is no kind of touches"),
    ({"qualify": 3}, "names no touches"),
    ({"groups": {}}, "names no groups"),
    ({"groups": {"a": None, "b": None}}, "'a' and 'b' both have all other channels"),
    ({"groups": {"a": ("Email", "SMS"), "b": ("SMS",)}}, "'SMS' is in 'a' and in 'b'"),
    ({"groups": {"a": 3}}, "is no group"),
    ({"groups": {3: None}}, "is no group"),
    ({"exclude": 7}, "is no condition"),
    ({"exclude": "kind =="}, "kind =="),
    ({"brand": 7}, "names no attribute"),
    ({"tiers": "click", "strict": True}, "contradict"),
    ({"strict": True, "model": "linear"}, "means nothing for linear"),
    ({"strict": 1}, "is not true or false"),
    ({"reuse": "no"}, "is not true or false"),
    ({"half_life": "0d"}, "no time at all"),
    ({"bursts": "4"}, "names no bursts"),
    ({"bursts": (4, "1s")}, "4 is no number of clicks and a time"),
    ({"bursts": ((1, "1s"),)}, "is no number of clicks"),
    ({"bursts": ((4, "1 s"),)}, "'1 s' of 4 clicks is no duration"),
    ({"most_touches": 0}, "no number of touches"),
    ({"most_touches": 1.5}, "no number of touches"),
    ({"most_touches": 10_000}, "from 1 to"),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_what_is_no_model(options, message):
    with pytest.raises(oc.ConfigError, match=message):
        oc.Attribution(**options)


def test_models_are_data():
    model = oc.Attribution(model="linear", window="90m", groups={"site": "Popup"})
    assert model.window == timedelta(minutes=90)
    assert model.groups == {"site": ("Popup",)}
    assert model == pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
    assert model == eval(repr(model), {"Attribution": oc.Attribution})  # noqa: S307 - our own
    assert repr(model) == "Attribution(model='linear', window='90m', groups={'site': ('Popup',)})"
    assert repr(oc.Attribution()) == "Attribution()"
    quick = oc.Attribution(bursts=((4, "1s"),))
    assert repr(quick) == "Attribution(bursts=((4, '1s'),))"
    assert quick == eval(repr(quick), {"Attribution": oc.Attribution})  # noqa: S307 - our own
    assert quick.to_dict()["bursts"] == [[4, "1s"]]
    assert model.to_dict()["windows"] == {"SMS delivery": "12h"}


def test_presets():
    assert oc.Attribution.preset("maestra") == oc.Attribution(windows={})
    klaviyo = oc.Attribution.preset("klaviyo")
    assert klaviyo.clock == "delivery"
    assert klaviyo.windows["SMS", "delivery"] == 12 * HOUR
    assert oc.Attribution.preset("last_click").compete == "all"
    with pytest.raises(oc.ConfigError, match="did you mean 'klaviyo'"):
        oc.Attribution.preset("klavyo")


def orders_of(rows, columns=None, **options):
    columns = columns or oc.Columns(order="order_id", instants=True)
    names = ("customer_id", "order_id", "ordered_at", "amount")
    arrays = [list(column) for column in zip(*rows, strict=True)] or [[]] * 4
    return oc.OrderHistory.build(
        pa.table(dict(zip(names, arrays, strict=True))), columns=columns, **options
    )


def touches_of(rows, attributes=("kind", "channel", "campaign"), **options):
    names = ("customer_id", "occurred_at", "kind", "channel", "campaign")
    arrays = [list(column) for column in zip(*rows, strict=True)]
    return oc.EventHistory.build(
        pa.table(dict(zip(names, arrays, strict=True))),
        columns=oc.EventColumns(attributes=attributes),
        **options,
    )


ORDERS = [("ann", 1, MOMENT, 60), ("bob", 2, MOMENT, 40)]
TOUCHES = [("ann", MOMENT - HOUR, "click", "Email", "spring")]


def test_histories_that_do_not_fit():
    orders, touches = orders_of(ORDERS), touches_of(TOUCHES)
    model = oc.Attribution()
    with pytest.raises(oc.ConfigError, match="Table is no history of orders"):
        model.credit(pa.table({}), touches)
    with pytest.raises(oc.ConfigError, match=r"touches.*OrderHistory is no history of events"):
        model.credit(orders, orders)
    with pytest.raises(oc.ConfigError, match="visits"):
        model.credit(orders, touches, visits=7)
    without = orders_of(ORDERS, oc.Columns(order="order_id"))
    with pytest.raises(oc.ConfigError, match="orders have no instants") as caught:
        model.credit(without, touches)
    assert "instants=True" in str(caught.value)
    merged = orders_of(ORDERS, same_day="merge")
    with pytest.raises(oc.ConfigError, match="same_day='merge'"):
        model.credit(merged, touches)
    dated = touches_of([(who, at.date(), *rest) for who, at, *rest in TOUCHES])
    with pytest.raises(oc.ConfigError, match="touches have days without instants"):
        model.credit(orders, dated)
    with pytest.raises(oc.ConfigError, match="visits have days without instants"):
        model.credit(orders, touches, dated)
    numbered = touches_of([(7, *rest) for _, *rest in TOUCHES])
    with pytest.raises(oc.ColumnError, match="no ids in common"):
        model.credit(orders, numbered)
    with pytest.raises(oc.ColumnError, match="no attribute 'channel'"):
        model.credit(orders, touches_of(TOUCHES, attributes=("kind", "campaign")))
    coded = touches_of([(*row[:3], 7, row[4]) for row in TOUCHES])
    with pytest.raises(oc.ColumnError, match="channel is int64"):
        model.credit(orders, coded)
    with pytest.raises(oc.ColumnError, match=r"brand='brand'.*orders have no such one"):
        oc.Attribution(brand="brand").credit(orders, touches)
    with pytest.raises(oc.ColumnError, match=r"exclude=.*no column 'bot'"):
        oc.Attribution(exclude="bot == 'yes'").credit(orders, touches)


def test_first_moments_of_days_do():
    dated = touches_of([(who, at.date(), *rest) for who, at, *rest in TOUCHES], day_instants=True)
    credited = oc.Attribution().credit(orders_of(ORDERS), dated)
    assert credited.to_table()["age"].to_pylist() == [12 * HOUR, None]


def test_names_that_do_not_occur_are_warned_of():
    orders, touches = orders_of(ORDERS), touches_of(TOUCHES)
    with pytest.warns(oc.OrdercycleWarning, match="no touch has 'clik' of qualify="):
        oc.Attribution(qualify=("clik",)).credit(orders, touches)
    with pytest.warns(oc.OrdercycleWarning, match="'Emial' of groups="):
        oc.Attribution(groups={"mail": ("Emial",)}).credit(orders, touches)
    with pytest.warns(oc.OrdercycleWarning, match="no value of kind equals 'bot'"):
        credited = oc.Attribution(exclude="kind == 'bot'").credit(orders, touches)
    assert credited.summary().attributed == 1
    for name in ("maestra", "klaviyo", "last_click"):  # what the library proposes is no typo
        oc.Attribution.preset(name).credit(orders, touches)


def test_channels_in_no_group_are_counted_and_named():
    touches = touches_of([*TOUCHES, ("bob", MOMENT, "click", "Radio", None)])
    credited = oc.Attribution(groups={"mail": ("Email",)}).credit(orders_of(ORDERS), touches)
    assert credited.summary().without_group == {"Radio": 1}
    assert "1 touch of a channel in no group ('Radio')" in repr(credited)
    assert "Radio" in credited._repr_html_()
    assert credited.explain(2)["outcome"].to_pylist() == ["channel"]


def test_what_is_lost_is_listed():
    names = pa.table({"campaign": ["spring"], "type": ["bulk"]})
    rows = [*TOUCHES, ("zoe", MOMENT, "click", "Email", "autumn")]
    touches = touches_of(rows, lookups={"campaign": names})
    credited = oc.Attribution().credit(orders_of(ORDERS), touches)
    for note in (
        "1 touch of a customer whom the orders do not have",
        "1 campaign has no row in the lookup ('autumn')",
    ):
        assert note in repr(credited)


def test_orders_that_are_not_explained():
    credited = oc.Attribution().credit(orders_of(ORDERS), touches_of(TOUCHES))
    for order in (3, "x", None, 2**70):
        with pytest.raises(oc.ConfigError, match="there is no order"):
            credited.explain(order)
    shared = orders_of([("ann", 1, MOMENT, 60), ("bob", 1, MOMENT, 40)])
    with pytest.raises(oc.DataError, match="order 1 is of 2 customers, such as '"):
        oc.Attribution().credit(shared, touches_of(TOUCHES)).explain(1)
    nameless = orders_of(ORDERS, oc.Columns(instants=True))
    with pytest.raises(oc.ConfigError, match="orders have no ids"):
        oc.Attribution().credit(nameless, touches_of(TOUCHES)).explain(1)


def test_windows_that_are_none():
    credited = oc.Attribution().credit(orders_of(ORDERS), touches_of(TOUCHES))
    for days in ([], [0], [-1], ["1d"], [1.5], 7.5, range(2000)):
        with pytest.raises(oc.ConfigError, match="are no windows"):
            credited.windows("CRM Orders", days)
    with pytest.raises(oc.ConfigError, match="did you mean 'Revenue from Campaigns'"):
        credited.windows("Revenue from Campaign", [1])


def test_long_windows_and_short_half_lives():
    orders, touches = orders_of(ORDERS), touches_of(TOUCHES)
    longest = {"window": "109800d", "windows": {"click": "1m"}}
    assert oc.Attribution(**longest).credit(orders, touches).summary().attributed == 0
    tiny = oc.Attribution(window="1m", windows={"click": "90000d"}).credit(orders, touches)
    assert tiny.windows("CRM Orders", [1, 36_500])["value"].to_pylist() == [1, 1]
    twice = touches_of([*TOUCHES, ("ann", MOMENT, "click", "Email", "late")])
    made = oc.Attribution(model="time_decay", half_life=timedelta(microseconds=1))
    assert made.credit(orders, twice).to_table()["revenue"].to_pylist() == [0, 60, 40]


def test_campaigns_without_a_row_of_their_own_count():
    names = pa.table({"campaign": ["receipt"], "type": ["transactional"]})
    rows = [*TOUCHES, ("bob", MOMENT - HOUR, "click", "Email", "receipt")]
    touches = touches_of(rows, lookups={"campaign": names})
    assert touches.summary().unmatched == {"campaign": 1}
    model = oc.Attribution(exclude="campaign.type == 'transactional'")
    credited = model.credit(orders_of(ORDERS), touches)
    assert credited.to_table()["campaign"].to_pylist() == ["spring", None]
    assert credited.summary().excluded == 1


def test_refunds_of_unknown_orders_are_nobodys():
    columns = oc.Columns(order="order_id", refund_of="refunds", instants=True)
    orders = pa.table(
        {
            "customer_id": ["ann", "ann", "ann"],
            "order_id": ["a", "b", "c"],
            "ordered_at": [MOMENT, MOMENT + HOUR, MOMENT + 2 * HOUR],
            "amount": [60.0, -20.0, -5.0],
            "refunds": [None, "a", "nowhere"],
        }
    )
    credited = oc.Attribution().credit(
        oc.OrderHistory.build(orders, columns=columns), touches_of(TOUCHES)
    )
    table = credited.to_table().select(["order", "group", "credit", "revenue"])
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("a", "campaigns", 1.0, 60.0),
        ("a", "campaigns", 0.0, -20.0),
        ("c", None, None, -5.0),
    ]
    assert credited.summary().unknown_refunds == 1
    assert "1 refund of no known order" in repr(credited)


def test_orders_without_amounts_and_without_touches():
    orders = orders_of(ORDERS, oc.Columns(order="order_id", amount=None, instants=True))
    none = touches_of(TOUCHES).where("kind == 'open'", missing="empty")
    table = oc.Attribution().credit(orders, none).to_table()
    assert table["revenue"].null_count == table["group"].null_count == 2
    credited = oc.Attribution().credit(orders, touches_of(TOUCHES))
    assert credited.windows("CRM Orders", [5])["value"].to_pylist() == [1]
    with pytest.raises(oc.ConfigError, match="Revenue"):
        credited.windows("Total CRM Revenue", [5])


def test_nothing_at_all():
    credited = oc.Attribution().credit(orders_of([]), touches_of(TOUCHES))
    assert credited.to_table().num_rows == credited.paths().num_rows == 0
    assert credited.summary().orders == 0


def test_what_credits_were_made_with():
    credited = oc.Attribution().credit(orders_of(ORDERS), touches_of(TOUCHES))
    made = credited.metadata
    assert made["attribution"] == oc.Attribution().to_dict()
    assert (made["orders"], made["touches"], made["last_day"]) == (2, 1, "2026-03-01")
    assert pc.sum(credited.to_table()["revenue"]).as_py() == 100


TEXTS = pa.dictionary(pa.int8(), pa.string())


@pytest.mark.parametrize(
    ("given", "others", "orders"),
    [
        (pa.int32(), pa.int64(), pa.string()),
        (TEXTS, pa.large_string(), pa.large_string()),
        (pa.string_view(), TEXTS, pa.int16()),
        (pa.binary(), pa.large_binary(), pa.uint64()),
        (pa.large_string(), pa.string(), TEXTS),
    ],
)
def test_ids_of_any_type(given, others, orders):
    is_integer = pa.types.is_integer(given)
    people = [1, 2, 3] if is_integer else [b"ann", b"bob", b"eve"]
    numbers = [7, 8, 9] if pa.types.is_integer(orders) else ["x", "y", "z"]
    if not is_integer and not pa.types.is_binary(given):
        people = [one.decode() for one in people]

    def made(values, kind):
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        return pa.array(values, plain).cast(kind)

    table = pa.table(
        {
            "customer_id": made(people, given),
            "order_id": made(numbers, orders),
            "ordered_at": [MOMENT] * 3,
            "amount": [1.0, 2.0, 3.0],
        }
    )
    history = oc.OrderHistory.build(table, columns=oc.Columns(order="order_id", instants=True))
    touches = oc.EventHistory.build(
        pa.table(
            {
                "customer_id": made([people[2], people[0], people[0]], others),
                "occurred_at": [MOMENT - HOUR, MOMENT - HOUR, MOMENT + HOUR],
                "event": ["e3", "e1", "e0"],
                "kind": ["click"] * 3,
                "channel": ["Email"] * 3,
                "form": [None, "top", None],
            }
        ),
        columns=oc.EventColumns(id="event", attributes=["kind", "channel", "form"]),
    )
    credited = oc.Attribution().credit(history, touches)
    found = {
        (row["customer_id"], row["order"]): (row["group"], row["form"], row["revenue"])
        for row in credited.to_table().to_pylist()
    }
    assert found == {
        (people[0], numbers[0]): ("campaigns", "top", 1.0),
        (people[1], numbers[1]): (None, None, 2.0),
        (people[2], numbers[2]): ("campaigns", None, 3.0),
    }
    assert credited.explain(numbers[0])["outcome"].to_pylist() == ["won"]
    assert credited.to_table()["event"].null_count == 1


def test_orders_of_views_and_saved_histories(tmp_path):
    orders, touches = orders_of(ORDERS), touches_of(TOUCHES)
    wanted = oc.Attribution().credit(orders, touches).to_table()
    orders.save(tmp_path / "orders")
    again = oc.OrderHistory.open(tmp_path / "orders")
    clicks = touches.save(tmp_path / "touches")
    assert oc.Attribution().credit(again, clicks).to_table().equals(wanted)
    more = pa.table(
        {
            "customer_id": ["ann", "bob"],
            "occurred_at": [MOMENT - HOUR / 2] * 2,
            "kind": ["click"] * 2,
            "channel": ["SMS"] * 2,
            "campaign": ["sale"] * 2,
        }
    )
    grown = oc.Attribution().credit(again, clicks.append(more)).to_table()
    assert grown["channel"].to_pylist() == ["SMS", "SMS"]
    nothing = clicks.where("campaign == 'sale'", missing="empty")
    credited = oc.Attribution().credit(orders, nothing)
    assert credited.summary().attributed == 0
    assert credited.metadata["views"]["touches"] == ["campaign == 'sale'"]
