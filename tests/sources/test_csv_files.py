"""CSV files: divided where lines end, compressed, typed by what is in them."""

import gzip
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
from support.order_files import AS_OF, orders, profile

import ordercycle as oc
from ordercycle._sources.text import chunks, csv_files


def write_csv(path, table):
    lines = [",".join(table.column_names)]
    lines += [
        ",".join("" if value is None else str(value) for value in row.values())
        for row in table.to_pylist()
    ]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.mark.parametrize("part", [1, 7, 50, 1000, 10**6])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_csv_file_is_divided_where_lines_end(tmp_path, monkeypatch, part, ends, last):
    monkeypatch.setattr(chunks, "PART_BYTES", part)
    monkeypatch.setattr(chunks, "SEARCH_BYTES", 5)
    table = orders(200)
    path = tmp_path / "orders.csv"
    write_csv(path, table)
    content = path.read_text().replace("\n", ends)
    path.write_text(content if last else content.rstrip(), newline="")
    assert profile(path, threads=3).equals(profile(table))


@pytest.mark.parametrize("ending", ["gz", "bz2", "zst", "lz4"])
def test_compressed_csv(tmp_path, ending):
    table = orders(500)
    write_csv(tmp_path / "plain.csv", table)
    content = (tmp_path / "plain.csv").read_bytes()
    for name, piece in (("a", slice(0, 250)), ("b", slice(250, None))):
        write_csv(tmp_path / "piece.csv", table[piece])
        with pa.output_stream(tmp_path / f"{name}.csv.{ending}", compression="detect") as stream:
            stream.write((tmp_path / "piece.csv").read_bytes())
    (tmp_path / "piece.csv").unlink()
    (tmp_path / "plain.csv").unlink()
    assert len(content) > 5000
    assert profile(f"{tmp_path}/*.csv.{ending}").equals(profile(table))


def test_csv_files_with_their_columns_in_another_order(tmp_path):
    table = orders(60, note=pa.array(["x"] * 60))
    write_csv(tmp_path / "a.csv", table[:30])
    write_csv(
        tmp_path / "b.csv", table.select(["note", "amount", "customer_id", "ordered_at"])[30:]
    )
    assert profile(tmp_path).equals(profile(table))


def test_an_empty_field_is_missing_and_a_file_may_have_no_row(tmp_path):
    table = orders(40)
    holes = pa.array([None if n % 4 == 0 else n for n in range(40)])
    table = table.set_column(0, "customer_id", holes)
    write_csv(tmp_path / "a.csv", table[:1])  # customer_id: nothing but nulls
    write_csv(tmp_path / "b.csv", table[1:])
    write_csv(tmp_path / "c.csv", table[:0])
    history = oc.OrderHistory.build(tmp_path)
    assert history.summary().anonymous == 10
    assert history.profile(AS_OF).equals(profile(table))


@pytest.mark.parametrize("part", [300, 10**6])
@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_ids_are_text_in_all_files_where_a_later_one_is(tmp_path, monkeypatch, part, ending):
    monkeypatch.setattr(chunks, "PART_BYTES", part)
    monkeypatch.setattr(csv_files, "LOOK_BYTES", 400)
    table = orders(200).set_column(0, "customer_id", orders(200)["customer_id"].cast(pa.string()))
    ids = table["customer_id"].to_pylist()
    changed = table.set_column(0, "customer_id", pa.array([*ids[:-1], "A17"]))
    write_csv(tmp_path / f"a.{ending}", table)
    write_csv(tmp_path / f"b.{ending}", changed)
    assert profile(tmp_path).equals(profile(pa.concat_tables([table, changed])))


def test_ids_that_are_text_in_one_file_are_text_in_all(tmp_path):
    numbers = orders(20).set_column(0, "customer_id", orders(20)["customer_id"].cast(pa.string()))
    texts = orders(20, customer_id=pa.array([f"c{n}" for n in range(20)]))
    write_csv(tmp_path / "a.csv", numbers)
    write_csv(tmp_path / "b.csv", texts)
    assert profile(tmp_path).equals(profile(pa.concat_tables([numbers, texts])))


@pytest.mark.parametrize("swapped", [False, True])
def test_amounts_without_fractions_in_one_csv_file_are_floats_in_all(tmp_path, swapped):
    whole = orders(20, amount=pa.array(range(20)))
    names = ["b.csv", "a.csv"] if swapped else ["a.csv", "b.csv"]
    write_csv(tmp_path / names[0], whole)
    write_csv(tmp_path / names[1], orders(20))
    both = pa.concat_tables([whole.cast(orders(0).schema), orders(20)])
    assert profile(tmp_path).equals(profile(both))


def test_a_csv_file_that_cannot_be_read_is_named(tmp_path):
    write_csv(tmp_path / "a.csv", orders(20))
    other = tmp_path / "b.csv"
    write_csv(other, orders(20))
    other.write_text(other.read_text() + "1,2025-01-01\n")
    with pytest.raises(oc.SourceError, match=r"line 22 of '.*b\.csv' has 2 fields"):
        profile(tmp_path)
    other.write_text("")
    with pytest.raises(oc.SourceError, match=r"'.*b\.csv' is empty"):
        profile(tmp_path)
    other.write_text("\n\n")
    with pytest.raises(oc.SourceError, match=r"'.*b\.csv' is empty, not even a header"):
        profile(tmp_path)
    (tmp_path / "b.csv").rename(tmp_path / "b.csv.gz")
    with pytest.raises(oc.SourceError, match=r"'.*b\.csv\.gz' cannot be read"):
        profile(tmp_path)


def test_csv_times_with_a_zone_and_tabs(tmp_path):
    moment = pa.array([datetime(2025, 3, 1, 23, 30), datetime(2025, 3, 2, 1, 0)])  # noqa: DTZ001
    table = orders(2, ordered_at=moment.cast(pa.timestamp("s")).cast(pa.timestamp("s", "UTC")))
    lines = ["customer_id\tordered_at\tamount"]
    lines += [f"{n * 7919 % 101}\t{at}Z\t{n / 4}" for n, at in enumerate(moment.to_pylist())]
    Path(tmp_path / "orders.tsv").write_text("\n".join(lines))
    options = {"timezone": "Europe/Madrid"}
    assert profile(tmp_path, **options).equals(profile(table, **options))


def test_columns_of_names_are_read_as_they_are(tmp_path):
    path = tmp_path / "segments.csv"
    path.write_text("customer_id,lifecycle\n1,New – 1 order\n2,Loyal\n", encoding="utf-8")
    found = oc.transition_matrix(path, path)
    assert found["from_segment"].to_pylist() == ["New – 1 order", "Loyal"]


def written(tmp_path, *rows, header="customer_id,ordered_at,amount"):
    path = tmp_path / "orders.csv"
    path.write_text("\n".join([header, *rows, ""]), "utf-8")
    return path


@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("before", [0, 4000])  # in the first rows, and past them
@pytest.mark.parametrize(
    ("large", "beside"),
    [("9007199254740993", "0.5"), ("9223372036854775809", "3"), ("-9007199254740993.25", "1")],
)
def test_digits_that_floats_do_not_have_are_refused(tmp_path, decimal, before, large, beside):
    texts = [beside] * (before + 1) + [large]
    rows = [f"a;2025-03-01;{text.replace('.', decimal)}" for text in texts]
    path = written(tmp_path, *rows, header="customer_id;ordered_at;amount")
    given = {"delimiter": ";", "decimal": decimal}
    with pytest.raises(oc.ColumnError, match="more digits than a float64") as caught:
        profile(path, read=oc.CsvFormat(**given))
    assert (caught.value.row, caught.value.column) == (before + 3, "amount")
    assert "types" in str(caught.value)
    exact = {"types": {"amount": "decimal(24,2)"}}
    profile(path, read=oc.CsvFormat(**given, **exact))


def test_large_floats_that_are_exact_or_have_an_exponent_are_read(tmp_path):
    path = written(tmp_path, "a,2025-03-01,1e17", "b,2025-03-01,18014398509481984.0")
    assert set(profile(path)["revenue"].to_pylist()) == {1e17, 18014398509481984.0}


@pytest.mark.parametrize("before", [0, 4000])
def test_numbers_are_compared_as_they_are_written(tmp_path, before):
    rows = [f"a,2025-03-01,1.5,{number}" for number in range(1, before + 1)]
    rows += ["a,2025-03-01,1.5,007", "a,2025-03-01,1.5,7.0", "a,2025-03-01,1.5,007"]
    path = written(tmp_path, *rows, header="customer_id,ordered_at,amount,code")
    history = oc.OrderHistory.build(path, only="code > 0", duplicates="drop")
    assert (history.summary().duplicates, history.summary().left_out) == (1, 0)
    assert history.summary().rows == before + 3


def test_nobody_is_written_as_whole_floats_are(tmp_path):
    path = written(tmp_path, "0.0,2025-03-01,1", "17850.0,2025-03-01,2")
    history = oc.OrderHistory.build(path, nobody=["0.0"])
    assert (history.summary().nobody, history.summary().customers) == (1, 1)
    assert oc.OrderHistory.build(path, nobody=["0"]).summary().nobody == 1


@pytest.mark.parametrize("before", [0, 4000])  # in the first rows, and past them
@pytest.mark.parametrize("only", ["customer_id != 'x'", "state == 'paid'"])
@pytest.mark.parametrize("left_out", ["x,2025-03-01,free,new", "x,nodate,1,new", "x,,,new"])
def test_rows_that_do_not_count_are_not_read(tmp_path, before, only, left_out):
    rows = ["a,2025-03-01,1.5,paid"] * (before + 1) + [left_out, "b,2025-03-02,2.5,paid"]
    path = written(tmp_path, *rows, header="customer_id,ordered_at,amount,state")
    history = oc.OrderHistory.build(path, only=only)
    summary = history.summary()
    assert (summary.left_out, summary.customers) == (1, 2)
    assert sum(profile(path, only=only)["revenue"].to_pylist()) == 1.5 * (before + 1) + 2.5
    wrong = written(
        tmp_path, *rows, "c,2025-03-02,x,paid", header="customer_id,ordered_at,amount,state"
    )
    with pytest.raises(oc.ColumnError, match="amount in line") as caught:
        oc.OrderHistory.build(wrong, only=only)
    assert caught.value.row == before + 5


def test_a_condition_that_cannot_be_read_protects_nothing(tmp_path):
    path = written(tmp_path, "a,2025-03-01,1.5", "b,2025-03-01,x")
    with pytest.raises(oc.ColumnError, match="amount in line 3"):
        oc.OrderHistory.build(path, only="amount > 0")


@pytest.mark.parametrize("before", [0, 4000])
def test_rows_that_do_not_count_stay_out_where_the_condition_is_about_nothing(tmp_path, before):
    """What decides is kept as it is where everything else of such a row is left unread."""
    rows = ["a,2025-03-01,1.5,"] * (before + 1) + ["x,nodate,free,void", "b,2025-03-02,2.5,"]
    path = written(tmp_path, *rows, header="customer_id,ordered_at,amount,state")
    summary = oc.OrderHistory.build(path, only="state is null").summary()
    assert (summary.left_out, summary.anonymous, summary.customers) == (1, 0, 2)
