"""`ordercycle segment`: schemes fitted to files in pieces, kept in TOML, one after another."""

import io
import tomllib
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import csv, feather, parquet

import ordercycle as oc
from ordercycle._cli import profile_rows
from ordercycle._cli.app import cli
from ordercycle._cli.scheme_files import toml_of
from ordercycle._datasets.generator import generated_orders

TIERS = """
scheme = "rules"
default = "The rest"

[rules]
VIP = "rfm == 'Champions' and revenue > 500"
"Has gone quiet" = "missed_purchase_cycles > 2"
Nobody = "orders < 0"
"""


@pytest.fixture(scope="module")
def table():
    orders = generated_orders(2_000)
    history = oc.OrderHistory.build(orders, columns=oc.Columns(order="order_id"))
    return history.profile("2025-06-30")


@pytest.fixture(autouse=True)
def _folder(table, tmp_path, monkeypatch):
    """A folder with profile.parquet and tiers.toml, made the working directory; small pieces."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(profile_rows, "ROWS_PER_PIECE", 300)
    parquet.write_table(table, "profile.parquet")
    Path("tiers.toml").write_text(TIERS, encoding="utf-8")


def run(*arguments, code=0, profile="profile.parquet", stdin=None):
    result = CliRunner().invoke(cli, ["segment", profile, *map(str, arguments)], input=stdin)
    assert result.exit_code == code, result.stderr
    return result.stderr


def saved(path):
    return oc.scheme_from_dict(tomllib.loads(Path(path).read_text(encoding="utf-8")))


def test_cuts_by_hand_in_a_file_stay_and_the_others_are_fitted(table):
    text = 'scheme = "rfm"\n\n[cuts]\nfrequency = [1, 2, 4, 8]\n'
    Path("frequent.toml").write_text(text, encoding="utf-8")
    run("--scheme", "frequent.toml", "--save-scheme", "kept.toml", "--out", "segments.arrow")
    fitted = oc.Rfm(cuts={"frequency": (1, 2, 4, 8)}).fit(table)
    assert saved("kept.toml") == fitted
    assert feather.read_table("segments.arrow")["rfm"].equals(fitted.assign(table)["rfm"])


@pytest.mark.parametrize(
    ("arguments", "scheme"),
    [
        (["rfm"], oc.Rfm()),
        (["rfm", "--bins", 3, "--monetary", "average", "--where", "orders > 1"],
         oc.Rfm(bins=3, monetary="average", where="orders > 1")),
        (["rfm", "--map", "ten"], oc.Rfm(map="ten")),
        (["rfm", "--recency", "last_gap", "--frequency", "order_days", "--monetary", "gap_max"],
         oc.Rfm(recency="last_gap", frequency="order_days", monetary="gap_max")),
        (["cadence"], oc.Cadence()),
        (["cadence", "--prior-gaps", 2.5, "--just-ordered-days", 9, "--scope", "population"],
         oc.Cadence(prior_gaps=2.5, just_ordered_days=9, scope="population")),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_schemes_are_fitted_to_the_file_as_to_the_table(table, arguments, scheme, ending):
    if ending == "arrow":
        feather.write_feather(table, "profile.arrow", compression="uncompressed", chunksize=300)
    profile = f"profile.{ending}"
    output = run("--scheme", *arguments, "--save-scheme", "kept.toml", "--out", "segments.arrow",
               profile=profile)  # fmt: skip
    fitted = scheme.fit(table)
    assert saved("kept.toml") == fitted
    expected = fitted.assign(table)
    assert feather.read_table("segments.arrow").equals(expected)
    for name in fitted.segments:
        count = expected[fitted.name].to_pylist().count(name)
        assert f"{name:<22}{count:>13,}" in output
    run("--scheme", "kept.toml", "--out", "again.arrow", profile=profile)
    assert feather.read_table("again.arrow").equals(expected)


@pytest.mark.parametrize("road", ["csv", "stdin", "pandas"])
def test_profiles_come_back_as_csv(table, road):
    csv.write_csv(table, "profile.csv")
    if road == "pandas":
        table.to_pandas().to_csv("profile.csv", index=False)
    given = {"profile": "profile.csv"}
    if road == "stdin":
        given = {"profile": "-", "stdin": Path("profile.csv").read_bytes()}
    for scheme in (oc.Rfm(), oc.Cadence(), oc.Lifecycle()):
        name = scheme.name
        run("--scheme", name, "--out", f"{name}.arrow", **given)
        expected = (scheme if name == "lifecycle" else scheme.fit(table)).assign(table)
        found = feather.read_table(f"{name}.arrow")
        assert found.column_names == expected.column_names
        for column in ("customer_id", "orders", "last_order_on", "time_between_orders", name):
            assert found[column].equals(expected[column])
            assert found[column].type == expected[column].type


@pytest.mark.parametrize("kind", ["stream", "file", "parquet"])
def test_columns_of_a_profile_are_piped_in(table, kind):
    table = table.append_column("flag", table["customer_id"].cast(pa.string()).dictionary_encode())
    out = io.BytesIO()
    if kind == "parquet":
        parquet.write_table(table, out)
    else:
        with getattr(pa.ipc, f"new_{kind}")(out, table.schema) as writer:
            for number in range(0, table.num_rows, 200):
                piece = table.slice(number, 200)
                if kind == "stream":  # whose dictionaries may change
                    flags = piece["flag"].cast(pa.string()).dictionary_encode()
                    piece = piece.set_column(piece.num_columns - 1, "flag", flags)
                writer.write_table(piece)
    for scheme in (oc.Rfm(), oc.Lifecycle()):
        run("--scheme", scheme.name, "--out", f"{scheme.name}.arrow", profile="-",
            stdin=out.getvalue())  # fmt: skip
        expected = (scheme if scheme.name == "lifecycle" else scheme.fit(table)).assign(table)
        found = feather.read_table(f"{scheme.name}.arrow")
        assert found.column_names == expected.column_names
        assert found.drop("flag").equals(expected.drop("flag"))
        assert found["flag"].to_pylist() == expected["flag"].to_pylist()


@pytest.mark.parametrize("end", [20, -300])
def test_a_stream_that_is_cut_off_is_no_profile(table, end):
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    output = run("--out", "out.arrow", profile="-", stdin=out.getvalue()[:end], code=1)
    assert "stdin cannot be read" in output
    assert len(output.splitlines()) == 1
    assert not Path("out.arrow").exists()


def test_ids_of_bytes_in_csv_are_hexadecimal_digits_with_a_warning(table):
    ids = table["customer_id"].cast(pa.string()).cast(pa.binary())
    table = table.set_column(0, "customer_id", ids)
    parquet.write_table(table, "bytes.parquet")
    output = run("--out", "out.csv", profile="bytes.parquet")
    assert output.splitlines()[0].startswith("ordercycle: customer_id is binary, and CSV has it in")
    found = csv.read_csv("out.csv", convert_options=csv.ConvertOptions(
        column_types={"customer_id": pa.string()}))  # fmt: skip
    assert found["customer_id"].to_pylist() == [one.hex() for one in ids.to_pylist()]
    assert "is binary" not in run("--out", "out.arrow", profile="bytes.parquet")


def test_values_that_do_not_fit_are_named(table):
    text = table.slice(0, 400).set_column(4, "orders", [["1"] * 399 + ["many"]])
    csv.write_csv(text, "profile.csv")
    output = run("--out", "out.arrow", profile="profile.csv", code=1)
    assert "orders is 'many' at row 399, which is no whole number" in output
    assert not Path("out.arrow").exists()


def test_cuts_by_hand_stay(table):
    cuts = "{recency = [30, 90], frequency = [1, 4], monetary = [9, 99]}"
    text = f"scheme = 'rfm'\nbins = 3\ncuts = {cuts}"
    Path("cuts.toml").write_text(text, encoding="utf-8")
    run("--scheme", "cuts.toml", "--save-scheme", "kept.toml", "--out", "out.arrow")
    assert saved("kept.toml") == saved("cuts.toml")
    assert feather.read_table("out.arrow").equals(saved("cuts.toml").assign(table))


def test_rules_read_what_was_assigned_before_them(table):
    output = run("--scheme", "rfm", "--scheme", "tiers.toml", "--as", "level", "--out", "out.arrow")
    rules = oc.Rules(tomllib.loads(TIERS)["rules"], default="The rest", column="level")
    scored = oc.Rfm().fit(table).assign(table)
    expected = rules.assign(scored)
    assert feather.read_table("out.arrow").equals(expected)
    lines = output.splitlines()
    assert lines[0] == "rfm:"
    assert lines[6] == "level:"
    assert lines[-2].split() == ["all", "customers", f"{table.num_rows:,}", "in", "out.arrow"]
    assert lines[-1] == "rule 'Nobody' matches nobody"
    assert "has no column 'rfm'" in run("--scheme", "tiers.toml", code=1)


def test_what_comes_next(table):
    run("--scheme", "lifecycle", "--scheme", "rfm", "--next", "--out", "next.arrow")
    lifecycle = oc.Lifecycle()
    expected = oc.Rfm().fit(table).assign(lifecycle.assign(table))
    assert feather.read_table("next.arrow").equals(lifecycle.next_transition(expected))
    run("--scheme", "cadence", "--next", "--out", "cadence.arrow")
    cadence = oc.Cadence().fit(table)
    expected = cadence.next_transition(cadence.assign(table))
    assert feather.read_table("cadence.arrow").equals(expected)


def test_an_empty_profile_has_the_columns_too(table):
    parquet.write_table(table.slice(0, 0), "empty.parquet")
    run("--next", "--out", "empty.arrow", profile="empty.parquet")
    names = feather.read_table("empty.arrow").column_names
    assert names[-3:] == ["lifecycle", "next_segment", "next_segment_on"]
    output = run("--scheme", "cadence", code=1, profile="empty.parquet")
    assert "has ordered twice" in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--scheme", "rmf"], "did you mean 'rfm'"),
        (["--scheme", "absent.toml"], "there is no file absent.toml"),
        (["--scheme", "rfm", "--preset", "fashion"], "--preset is an option of --scheme lifecycle"),
        (["--preset", "fashion", "--new-days", "9"], "give either --preset or --new-days"),
        (["--bins", "4"], "--bins is an option of --scheme rfm"),
        (["--scheme", "tiers.toml", "--map", "ten"], "--map is an option of --scheme rfm"),
        (["--scheme", "rfm", "--bins", "11"], "--bins"),
        (["--scheme", "rfm", "--as", "tier"], "--as names the column of rules"),
        (["--scheme", "rfm", "--next"], "--next needs one --scheme"),
        (["--scheme", "lifecycle", "--scheme", "cadence", "--next"], "--next needs one --scheme"),
        (["--scheme", "rfm", "--scheme", "cadence", "--save-scheme", "x.toml"], "a single scheme"),
        (["--scheme", "rfm", "--save-scheme", "rfm.json"], "must end in .toml"),
        (["--scheme", "rfm", "--where", "orders >"], "cannot be read"),
        (["--scheme", "cadence", "--prior-gaps", "-1"], "--prior-gaps"),
    ],
    ids=str,
)
def test_wrong_usage(arguments, said):
    assert said in run(*arguments, code=2)
    assert sorted(path.name for path in Path().iterdir()) == ["profile.parquet", "tiers.toml"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scheme = rules", "tiers.toml cannot be read as TOML"),
        ("default = 'Other'", "does not name its scheme"),
        ("scheme = 'ruels'", "did you mean 'rules'"),
        ("scheme = ['rules']", "there is no scheme ['rules']"),
        ("scheme = 'rules'\nrules = {A = 'orders >'}", "tiers.toml: rule 'A'"),
        ("scheme = 'rules'\nruls = {A = 'orders > 1'}", "did you mean 'rules'"),
        ("scheme = 'rules'\n[rules]\nA = 3", "pass a pyarrow expression"),
        ("scheme = 'lifecycle'\nactive_days = 300", "active_days"),
    ],
    ids=lambda text: text.replace("\n", "; "),
)
def test_files_without_a_scheme_are_reported_in_a_line(text, said):
    Path("tiers.toml").write_text(text, encoding="utf-8")
    output = run("--scheme", "tiers.toml", code=1)
    assert said in output
    assert len(output.splitlines()) == 1


def test_a_kept_scheme_is_not_replaced_unasked():
    Path("kept.toml").write_text("mine", encoding="utf-8")
    arguments = ("--scheme", "cadence", "--save-scheme", "kept.toml", "--out", "out.arrow")
    assert "kept.toml exists" in run(*arguments, code=1)
    assert not Path("out.arrow").exists()
    run(*arguments, "--overwrite")
    assert saved("kept.toml").account is not None
    assert not [path for path in Path().iterdir() if path.suffix == ".tmp"]


plain = (
    st.text()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.lists(st.text() | st.floats(allow_nan=False), max_size=3)
    | st.lists(st.lists(st.integers(0, 9), max_size=2), max_size=2)
    | st.lists(st.dictionaries(st.text(), st.text(), max_size=2), max_size=2)
)
texts = st.dictionaries(st.text(), plain, max_size=4)


@given(st.dictionaries(st.text(), plain | texts | st.dictionaries(st.text(), texts, max_size=2)))
def test_toml_is_read_as_it_was_written(values):
    assert tomllib.loads(toml_of(values)) == values
