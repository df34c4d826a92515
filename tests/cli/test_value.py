"""Models of value on the command line: foretold columns, lists, tests of the past."""

import tomllib
from datetime import date

import pytest
from pyarrow import parquet
from support import buyers
from support.command_line import one_line, run

import ordercycle as oc
from ordercycle._cli.scheme_files import write_scheme, write_toml

HORIZON = ("--horizon-days", "180")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("value")
    orders = buyers.orders(200)
    parquet.write_table(orders, folder / "orders.parquet")
    history = oc.OrderHistory.build(orders)
    parquet.write_table(history.profile(buyers.AS_OF), folder / "profile.parquet")
    return folder


@pytest.fixture(scope="module")
def fitted(folder):
    profile = parquet.read_table(folder / "profile.parquet")
    return oc.Clv(model="mbg_nbd", horizon_days=180).fit(profile)


def test_segment_adds_what_a_model_foretells_and_the_lists(folder, fitted, tmp_path):
    out, saved = tmp_path / "lists.parquet", tmp_path / "lists.toml"
    result = run(
        "segment", folder / "profile.parquet", "--clv", "mbg_nbd", *HORIZON,
        "--scheme", "value_lists", "--top-share", "0.2", "--out", out, "--save-scheme", saved,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    lists = oc.ValueLists(fitted, top_share=0.2)
    profile = parquet.read_table(folder / "profile.parquet")
    expected = lists.fit(profile)
    assert parquet.read_table(out).to_pylist() == expected.assign(profile).to_pylist()
    assert "mean of revenue so far and predicted value in Top" in result.stderr
    assert oc.scheme_from_dict(tomllib.loads(saved.read_text())) == expected
    again = run("segment", folder / "profile.parquet", "--scheme", saved)
    assert again.exit_code == 0
    assert again.stdout.count("Top") == expected.account.sizes["Top"]


def test_columns_that_were_foretold_are_taken_over(folder, fitted, tmp_path):
    profile = parquet.read_table(folder / "profile.parquet")
    foretold, saved = tmp_path / "foretold.parquet", tmp_path / "lists.toml"
    out = tmp_path / "out.parquet"
    parquet.write_table(fitted.assign(profile), foretold)
    lists = oc.ValueLists(fitted).fit(profile)
    write_scheme(saved, lists, {})
    result = run("segment", foretold, "--scheme", saved, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert parquet.read_table(out).to_pylist() == lists.assign(profile).to_pylist()


def test_a_saved_model_is_used_again(folder, fitted, tmp_path):
    saved, out = tmp_path / "clv.toml", tmp_path / "out.parquet"
    write_toml(saved, fitted.to_dict())
    profile = folder / "profile.parquet"
    options = ("--clv", saved, "--scheme", "value_lists", "--out", out)
    result = run("segment", profile, *options, "--horizon-days", "90")
    assert result.exit_code == 0, result.stderr
    table = parquet.read_table(profile)
    expected = fitted.assign(table, horizon_days=90)
    found = parquet.read_table(out)
    assert found.select(expected.column_names).to_pylist() == expected.to_pylist()
    assert found.schema.field("clv").metadata == expected.schema.field("clv").metadata
    saved.write_text('scheme = "rfm"\n')
    error = one_line(run("segment", profile, *options, "--overwrite"))
    assert "has a scheme, rfm, and no model of value" in error


def test_lists_bring_their_model(folder):
    lists = run("segment", folder / "profile.parquet", "--scheme", "value_lists", *HORIZON)
    assert lists.exit_code == 0, lists.stderr
    header, *rows = lists.stdout.splitlines()
    names = header.replace('"', "").split(",")
    assert names[-3:] == ["clv", "value_list", "high_value"]
    assert len(rows) == 200
    only = run("segment", folder / "profile.parquet", "--clv", "mbg_nbd", *HORIZON)
    assert only.exit_code == 0
    names = only.stdout.splitlines()[0].replace('"', "").split(",")
    assert names[-2:] == ["clv", "lifecycle"]


def test_horizons_belong_to_models(folder, tmp_path):
    result = run("segment", folder / "profile.parquet", *HORIZON)
    assert result.exit_code == 2
    assert "--horizon-days is of --clv, or of --scheme value_lists" in result.stderr
    model = tmp_path / "clv.toml"
    model.write_text('scheme = "clv"\n')
    assert "has a model, clv, and no scheme" in one_line(
        run("segment", folder / "profile.parquet", "--scheme", model)
    )


def test_clv_foretells_each_customer_and_shows_a_test(folder, fitted, tmp_path):
    out, saved = tmp_path / "clv.parquet", tmp_path / "clv.toml"
    result = run(
        "clv", folder / "orders.parquet", "--as-of", buyers.AS_OF, "--model", "mbg_nbd", *HORIZON,
        "--backtest-days", "182", "--out", out, "--save-scheme", saved,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    profile = parquet.read_table(folder / "profile.parquet")
    assert parquet.read_table(out).to_pylist() == fitted.assign(profile).to_pylist()
    assert oc.scheme_from_dict(tomllib.loads(saved.read_text())) == fitted
    history = oc.OrderHistory.build(buyers.orders(200))
    test = oc.Clv(model="mbg_nbd").backtest(history, date(2025, 7, 2), horizon_days=182)
    for line in test.verdict.splitlines():
        assert line in result.stderr
    assert "past_revenue" in result.stderr
    assert "200 profiles in" in result.stderr.splitlines()[-1]


def test_clv_without_money_has_orders_only(folder):
    result = run(
        "clv", folder / "orders.parquet", "--as-of", buyers.AS_OF, "--model", "bg_nbd",
        "--no-amount", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    names = result.stdout.splitlines()[0].replace('"', "").split(",")
    assert names[-3:] == ["p_alive", "p_active", "expected_orders"]


def test_what_clv_cannot_do_is_one_line(folder):
    given = ("clv", folder / "orders.parquet", "--as-of")
    result = run(*given, "2024-09-01", "--backtest-days", "200")
    assert result.exit_code == 2
    assert result.stderr.count("\n") <= 2
    assert "has 45 days, less than --backtest-days 200" in result.stderr
    assert run(*given, "2025-12-31", "--model", "best").exit_code == 2
