"""Schemes that anybody writes: a subclass of a few lines, wherever the library's own can be."""

import pickle
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, parquet
from support.own_schemes import Baskets, Spenders

import ordercycle as oc
from ordercycle._cli.scheme_files import toml_of

FIRST = date(2025, 1, 1)

oc.register_scheme(Spenders)
oc.register_scheme(Baskets)


def history_of(rows: list[tuple]) -> oc.OrderHistory:
    """Return a history of (customer, days after FIRST, amount)."""
    customers, days, amounts = zip(*rows, strict=True)
    orders = {
        "customer_id": customers,
        "ordered_at": [FIRST + timedelta(day) for day in days],
        "amount": amounts,
    }
    return oc.OrderHistory.build(pa.table(orders), threads=1)


@pytest.fixture
def history() -> oc.OrderHistory:
    return history_of([("ann", 0, 30.0), ("ann", 50, 90.0), ("bob", 10, 20.0), ("eve", 40, 0.0)])


def by_customer(table: pa.Table, column: str) -> dict:
    return dict(zip(table["customer_id"].to_pylist(), table[column].to_pylist(), strict=True))


def test_own_schemes_are_assigned(history):
    profile = history.profile("2025-12-31")
    assigned = Spenders().assign(profile)
    assert by_customer(assigned, "spenders") == {"ann": "Big", "bob": "Small", "eve": None}
    field = assigned.schema.field("spenders")
    assert field.type == pa.dictionary(pa.int8(), pa.string())
    assert assigned["spenders"].chunk(0).dictionary.to_pylist() == ["Small", "Big"]
    of_nobody = Spenders().assign(profile.slice(0, 0))
    assert (of_nobody.num_rows, of_nobody.schema.field("spenders")) == (0, field)
    assert Spenders().assign(profile.to_pandas())["spenders"].equals(assigned["spenders"])


@given(st.lists(st.floats(-1e9, 1e9, allow_nan=False), max_size=50), st.integers(1, 3))
def test_threads_and_chunks_leave_no_trace(revenues, threads):
    table = pa.table({"revenue": pa.array(revenues, pa.float64())})
    chunked = pa.concat_tables([table.slice(0, 7), table.slice(7)])
    expected = ["Big" if one >= 100 else None if one == 0 else "Small" for one in revenues]
    assert Spenders().assign(chunked, threads=threads)["spenders"].to_pylist() == expected


def test_memberships_are_recalculated(history):
    found = Spenders().membership(history, end="2025-04-15").to_table()
    rows = [(row["customer_id"], row["segment"], row["valid_from"], row["valid_to"])
            for row in found.sort_by([("customer_id", "ascending"), ("valid_from", "ascending")])
            .to_pylist()]  # fmt: skip
    january, february = date(2025, 1, 31), date(2025, 2, 28)
    assert rows == [
        ("ann", "Small", january, february),
        ("ann", "Big", february, None),
        ("bob", "Small", january, None),
    ]
    with pytest.raises(oc.ConfigError, match="streams"):
        Spenders().membership(history, streams={})


def test_what_is_fitted_is_fitted_again_at_each_recalculation(history):
    membership = Baskets().membership(history, every="week", end="2025-03-31")
    table = membership.to_table()
    for day in ("2025-01-26", "2025-02-23", "2025-03-16"):
        profile = history.profile(day)
        expected = by_customer(Baskets().fit(profile).assign(profile), "baskets")
        on = date.fromisoformat(day)
        found = {
            row["customer_id"]: row["segment"]
            for row in table.to_pylist()
            if row["valid_from"] <= on and (row["valid_to"] is None or on < row["valid_to"])
        }
        assert found == {name: one for name, one in expected.items() if one is not None}
    with pytest.raises(oc.ConfigError, match="not fitted"):
        Baskets().assign(history.profile("2025-03-31"))


def test_a_scheme_that_does_not_refit_keeps_its_numbers(history):
    class Fixed(Baskets):
        name = "fixed_baskets"
        refits = False

    fixed = Fixed(25.0)
    on = "2025-02-28"
    found = fixed.membership(history, on, on).to_table()
    expected = by_customer(fixed.assign(history.profile(on)), "fixed_baskets")
    assert by_customer(found, "segment") == expected
    with pytest.raises(oc.ConfigError, match="not fitted"):
        Fixed().membership(history)


def test_own_schemes_are_reported(history):
    report = oc.SegmentReport.build(
        history,
        {"by revenue": Spenders().membership(history), "now": oc.Lifecycle().membership(history)},
        period="2025-02",
        compare=None,
        as_of="2025-02-28",
    )
    revenue = {row["segment"]: row["value"] for row in report.comparison(["Revenue"]).to_pylist()}
    assert revenue["by revenue: Small"] == 90.0
    assert revenue["by revenue: Big"] == 0.0
    assert revenue["All Customers"] == 90.0


def test_rules_read_what_own_schemes_find(history):
    rules = oc.Rules({"Both": "spenders == 'Big' and orders > 1"})
    profile = Spenders().assign(history.profile("2025-12-31"))
    assert by_customer(rules.assign(profile), "tier")["ann"] == "Both"
    found = rules.membership(history, end="2025-03-31", schemes=[Spenders()]).to_table()
    both = found.filter(pc.equal(found["segment"].cast(pa.string()), "Both"))
    assert both.select(["customer_id", "valid_from"]).to_pylist() == [
        {"customer_id": "ann", "valid_from": date(2025, 2, 28)}
    ]


@pytest.mark.parametrize(
    "scheme", [Spenders(), Spenders(big_revenue=7.5, names=("a", "b")), Baskets(), Baskets(12.5)]
)
def test_own_schemes_travel(scheme):
    made = scheme.to_dict()
    assert made["scheme"] == scheme.name
    assert oc.scheme_from_dict(made) == scheme
    assert oc.scheme_from_dict(tomllib.loads(toml_of(made))) == scheme
    again = pickle.loads(pickle.dumps(scheme))  # noqa: S301 - what a cluster does
    assert again == scheme
    assert hash(again) == hash(scheme)
    with ThreadPoolExecutor(1) as pool:
        table = pa.table({"revenue": [150.0], "orders": pa.array([2], pa.int64())})
        if scheme.is_fitted:
            assert pool.submit(scheme.assign, table).result().equals(again.assign(table))


def test_own_schemes_show_themselves():
    assert repr(Baskets(12.5)) == "Baskets(typical=12.5)"
    html = Baskets(12.5)._repr_html_()
    assert "<b>Baskets</b>" in html
    assert "12.5" in html
    hostile = Spenders(names=("<script>", "b"))._repr_html_()
    assert "<script>" not in hostile


def test_partitions_get_the_same_segments(history):
    dask_frame = pytest.importorskip("dask.dataframe")
    from ordercycle.engines import dask

    profile = history.profile("2025-12-31")
    frame = dask_frame.from_pandas(
        profile.to_pandas(types_mapper=__import__("pandas").ArrowDtype), npartitions=2
    )
    found = dask.assign(frame, Spenders()).compute(scheduler="threads")
    expected = by_customer(Spenders().assign(profile), "spenders")
    segments = [None if one != one else one for one in found["spenders"].tolist()]  # noqa: PLR0124
    assert dict(zip(found["customer_id"], segments, strict=True)) == expected
    with pytest.raises(oc.ConfigError, match="whole profile"):
        dask.fit(frame, Baskets())
    with pytest.raises(oc.ConfigError, match="nothing to fit"):
        dask.fit(frame, Spenders())


def scheme_called(name: object, **members: object) -> type[oc.Scheme]:
    def decide(_, rows):
        return ["A"] * rows.num_rows

    return type("Called", (oc.Scheme,), {"name": name, "segments": ("A",), "decide": decide,
                                         **members})  # fmt: skip


@pytest.mark.parametrize("name", ["lifecycle", "rfm", "cadence", "rules", "spenders"])
def test_a_name_that_is_taken_is_refused(name):
    before = oc.scheme_from_dict({"scheme": name, **({"rules": {"A": "b > 1"}} if name == "rules"
                                                      else {})})  # fmt: skip
    kind = scheme_called(name, **({"kind": name} if name == "rules" else {}))
    with pytest.raises(oc.ConfigError, match=f"there is a scheme '{name}' already"):
        oc.register_scheme(kind)
    assert type(before) is not kind
    assert oc.register_scheme(Spenders) is Spenders  # the same class is no other


def test_a_cell_of_a_notebook_may_be_run_again():
    cell = (
        "class Again(oc.Scheme):\n"
        "    name, segments = 'again', ('A',)\n"
        "    def decide(self, rows): return ['A'] * rows.num_rows\n"
    )
    for _ in range(2):
        names = {"oc": oc, "__name__": "__main__"}
        exec(cell, names)  # noqa: S102 - as a notebook does
        oc.register_scheme(names["Again"])
        assert type(oc.scheme_from_dict({"scheme": "again"})) is names["Again"]
    with pytest.raises(oc.ConfigError, match=r"'again' already, __main__\.Again"):
        oc.register_scheme(scheme_called("again"))


def test_a_lifecycle_is_read_by_the_name_of_its_preset():
    grocery = oc.Lifecycle.preset("grocery")
    assert oc.scheme_from_dict({"scheme": "lifecycle", "preset": "grocery"}) == grocery
    for wrong, said in (
        ({"active_days": 9}, "preset='grocery' sets active_days"),
        ({"activ_days": 9}, "did you mean 'active_days'"),
    ):
        with pytest.raises(oc.ConfigError, match=said):
            oc.scheme_from_dict({"scheme": "lifecycle", "preset": "grocery", **wrong})


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (int, "no class of schemes"),
        (Spenders(), "no class of schemes"),
        (scheme_called(" "), "has no name"),
        (scheme_called(7), "has no name"),
        (scheme_called("lacking", decide=oc.Scheme.decide), "no decide or assign"),
        (scheme_called("lacking", segments=oc.Scheme.segments), "no segments"),
        (scheme_called("lacking", fitted_to="profile"), "no fit"),
        (scheme_called("lacking", fitted_to="profile", fit=lambda self, _: self), "is_fitted"),
        (scheme_called("lacking", foretells=True), "no next_transition"),
        (scheme_called("lacking", recalculates=False), "no membership"),
    ],
)
def test_what_cannot_be_a_scheme_is_not_registered(kind, said):
    with pytest.raises(oc.ConfigError, match=said):
        oc.register_scheme(kind)
    with pytest.raises(oc.ConfigError, match="there is no scheme 'lacking'"):
        oc.scheme_from_dict({"scheme": "lacking"})


@pytest.mark.parametrize(
    ("decided", "said"),
    [
        (["A", "B"], "segment 'B', which it does not have"),
        (["A"], "1 customer of 2"),
        (pa.array(["B", None]).dictionary_encode(), "segment 'B'"),
    ],
)
def test_segments_that_are_none_are_refused(decided, said):
    scheme = scheme_called("odd", decide=lambda _self, rows: decided[: rows.num_rows])()
    with pytest.raises(oc.ConfigError, match=said):
        scheme.assign(pa.table({"orders": [1, 2]}))


@pytest.mark.parametrize("segments", [("A", "A"), ("",), (7,), tuple(map(str, range(128)))])
def test_segments_that_are_no_names_are_refused(segments):
    with pytest.raises(oc.ConfigError, match="segment"):
        scheme_called("odd", segments=segments)().assign(pa.table({"orders": [1]}))


def test_own_assign_may_name_segments_in_any_type(history):
    def assign(_, table, **_options):
        names = ["late" if one < 2 else None for one in table["orders"].to_pylist()]
        return table.append_column("own", pa.array(names))

    kind = scheme_called("own", assign=assign, segments=("early", "late"))
    found = kind().membership(history, end="2025-01-31").to_table()
    assert set(found["segment"].to_pylist()) == {"late"}
    assert found["customer_id"].to_pylist().count("ann") == 1


@dataclass(frozen=True)
class Odd(oc.Scheme):
    since: date | None = None
    other: object = None

    name = "odd"
    segments = ("A",)


def test_options_that_no_dict_has_are_refused():
    assert Odd().to_dict() == {"scheme": "odd"}
    with pytest.raises(oc.ConfigError, match="since of Odd is"):
        Odd(FIRST).to_dict()
    with pytest.raises(oc.ConfigError, match=r"Odd has no option 'sinse' \(did you mean 'since'"):
        Odd.from_dict({"scheme": "odd", "sinse": 1})
    with pytest.raises(NotImplementedError, match="neither decide nor assign"):
        Odd().assign(pa.table({"orders": [1]}))


@pytest.mark.parametrize("scheme", [Spenders(), Baskets(), oc.Rfm(), oc.Rules({"A": "orders > 1"})])
def test_what_a_scheme_cannot_do_it_says(scheme, history):
    profile = history.profile("2025-12-31")
    assert not scheme.foretells
    with pytest.raises(oc.ConfigError, match="time alone changes no segment"):
        scheme.next_transition(profile)
    if scheme.fitted_to is None:
        with pytest.raises(oc.ConfigError, match="nothing to fit"):
            scheme.fit(profile)


@pytest.mark.parametrize(
    "option",
    [{"every": "month"}, {"window_days": 30}, {"schemes": [Spenders()]}, {"streams": {}}],
    ids=str,
)
def test_what_means_nothing_for_exact_memberships_is_refused(option, history):
    cadence = oc.Cadence().fit(history.profile("2025-12-31"))
    for scheme in (oc.Lifecycle(), cadence):
        expected = scheme.membership(history).to_table()
        nothing = scheme.membership(history, every=None, window_days=None, schemes=(), streams=None)
        assert nothing.to_table().equals(expected)
        with pytest.raises(oc.ConfigError, match=f"{next(iter(option))}=.* means nothing"):
            scheme.membership(history, **option)


def test_an_installed_package_brings_its_schemes(tmp_path, history):
    """Its entry point is all: commands name, describe, fit and keep a scheme that it has."""
    source = (
        "from dataclasses import dataclass\nimport pyarrow.compute as pc\nimport ordercycle as oc\n"
        "@dataclass(frozen=True)\n"
        "class Savers(oc.Scheme):\n"
        "    most: float = 25.0\n"
        "    out: str = 'Saver'\n"
        "    name = 'savers'\n"
        "    reads = ('revenue',)\n"
        "    command_options = (\n"
        "        oc.SchemeOption(name='most', type=float, least=0, help='who spends less saves'),\n"
        "        oc.SchemeOption(name='out', choices=('Saver', 'Miser')),\n"
        "    )\n"
        "    @property\n"
        "    def segments(self): return (self.out, 'Spender')\n"
        "    def decide(self, rows):\n"
        "        return pc.if_else(pc.less_equal(rows['revenue'], self.most), *self.segments)\n"
    )
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "shop_schemes.py").write_text(source)
    installed = tmp_path / "site" / "shop_schemes-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-schemes\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "[ordercycle.schemes]\nsavers = shop_schemes:Savers\nrfm = shop_schemes:Savers\n"
        "broken = shop_schemes:Nothing\n"
    )
    profile = history.profile("2025-12-31")
    parquet.write_table(profile, tmp_path / "profile.parquet")
    parquet.write_table(
        pa.table({"customer_id": ["ann"], "ordered_at": [FIRST], "amount": [20.0]}),
        tmp_path / "orders.parquet",
    )

    def run(*arguments, code=0):
        path = [str(tmp_path / "site"), *filter(None, sys.path)]
        start = f"import sys; sys.path[:0] = {path!r}; from ordercycle._cli import main; main()"
        ran = subprocess.run(
            [sys.executable, "-c", start, *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == code, ran.stderr
        return ran

    options = ("--most", "20", "--savers-out", "Miser", "--save-scheme", "kept.toml")
    result = run("segment", "profile.parquet", "--scheme", "savers", *options, "--out", "out.arrow")
    assert "the scheme 'broken' of an installed package" in result.stderr
    assert (
        "the scheme 'rfm' of an installed package, shop_schemes:Savers, is called" in result.stderr
    )
    found = feather.read_table(tmp_path / "out.arrow")
    assert by_customer(found, "savers") == {"ann": "Spender", "bob": "Miser", "eve": "Miser"}
    kept = {"scheme": "savers", "most": 20.0, "out": "Miser"}
    assert tomllib.loads((tmp_path / "kept.toml").read_text()) == kept
    run("segment", "profile.parquet", "--scheme", "kept.toml", "--out", "again.arrow")
    assert feather.read_table(tmp_path / "again.arrow").equals(found)
    assert "who spends less saves" in run("segment", "--help").stdout
    said = run("segment", "profile.parquet", "--scheme", "rfm", "--most", "20", code=2).stderr
    assert "--most is an option of --scheme savers" in said
    run("report", "orders.parquet", "--scheme", "savers", "--every", "day", "--period", "2025-01",
        "--as-of", "2025-01-01", "--out", "report.csv")  # fmt: skip
    assert "Saver" in (tmp_path / "report.csv").read_text()
