"""Order files as shops and tools export them, each with one command, against plain Python.

The names are those of the files whose traits the fixtures have: separators, marks, encodings,
names of columns, rows that do not count. What is right is computed here from the text.
"""

import csv
import datetime as dt
import gzip
import io
import json
import subprocess
from collections import defaultdict
from decimal import Decimal

import pyarrow as pa
import pytest
from support.command_line import one_line, process, run
from support.real_files import AS_OF, file, profiled

import ordercycle as oc


def day(*parts):
    return dt.datetime(*parts)  # noqa: DTZ001 - local, as cells are


def money(rows):
    return {customer: Decimal(row["revenue"]) for customer, row in rows.items()}


def counts(rows):
    return {customer: int(row["orders"]) for customer, row in rows.items()}


def first_days(rows):
    return {customer: row["first_order_on"] for customer, row in rows.items()}


UCI = (
    ("536365", "WHITE HANGER", 6, "2.55", "2010-12-01 08:26:00", "17850.0", "United Kingdom"),
    ("536365", "LANTERN", 6, "3.39", "2010-12-01 08:26:00", "17850.0", "United Kingdom"),
    ("536366", "HAND WARMER", 6, "1.85", "2010-12-01 08:28:00", "13047.0", "France"),
    ("536544", "DOTCOM", 1, "2.51", "2010-12-01 14:32:00", "", "United Kingdom"),
)
UCI_LATER = (
    ("C536379", "Discount", -1, "27.50", "2010-12-02 09:41:00", "17850.0", "United Kingdom"),
    ("537000", "LANTERN", 100, "0.001", "2010-12-02 10:00:00", "13047.0", "France"),
)
UCI_HEADER = ("InvoiceNo", "Description", "Quantity", "UnitPrice", "InvoiceDate", "CustomerID",
              "Country")  # fmt: skip
UCI_COLUMNS = ("--customer", "CustomerID", "--time", "InvoiceDate", "--order", "InvoiceNo",
               "--amount", "UnitPrice * Quantity")  # fmt: skip


def written(rows, header, **options):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n", **options)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def uci_revenue():
    revenue = defaultdict(Decimal)
    for _, _, quantity, price, _, customer, _ in UCI + UCI_LATER:
        if customer:
            revenue[str(int(float(customer)))] += quantity * Decimal(price)
    return dict(revenue)


@pytest.fixture
def uci_days(tmp_path):
    folder = tmp_path / "by-day"
    folder.mkdir()
    file(folder / "2010-12-01.csv", written(UCI, UCI_HEADER))
    file(folder / "2010-12-02.csv", written(UCI_LATER, UCI_HEADER))
    return folder


EXACT = ("--type", "UnitPrice=decimal(12,3)", "--type", "Quantity=integer")


def test_file_1_online_retail_by_day(uci_days):
    """Whole floats as ids, invoices that are text in some files, a price times a quantity."""
    rows = profiled(uci_days, *UCI_COLUMNS, *EXACT)
    assert money(rows) == uci_revenue()
    assert counts(rows) == {"17850": 1, "13047": 2}


def test_file_1_online_retail_in_floats(uci_days):
    rows = profiled(uci_days, *UCI_COLUMNS)
    assert {customer: pytest.approx(float(sum_)) for customer, sum_ in uci_revenue().items()} == {
        customer: float(row["revenue"]) for customer, row in rows.items()
    }


def test_file_1_and_a_source_file_alone(uci_days, tmp_path):
    source = file(
        tmp_path / "uci.toml",
        '[columns]\ncustomer = "CustomerID"\ntime = "InvoiceDate"\norder = "InvoiceNo"\n'
        'amount = "UnitPrice * Quantity"\n[read]\nformat = "csv"\n'
        'types = { UnitPrice = "decimal(12,3)", Quantity = "integer" }\n',
    )
    assert money(profiled(uci_days, "--source", source)) == uci_revenue()


def test_file_1_says_who_is_missing(uci_days):
    result = run("profile", uci_days, *UCI_COLUMNS, "--as-of", AS_OF)
    assert "1 anonymous row" in result.stderr


def test_file_2_the_same_as_excel_writes_it_in_germany(tmp_path):
    rows = [
        (*row[:3], row[3].replace(".", ","),
         dt.datetime.fromisoformat(row[4]).strftime("%d.%m.%Y %-H:%M"), *row[5:])
        for row in UCI + UCI_LATER
    ]  # fmt: skip
    path = file(tmp_path / "german.csv", written(rows, UCI_HEADER, delimiter=";"), "cp1252", "\r\n")
    rows = profiled(path, *UCI_COLUMNS, *EXACT, "--delimiter", ";", "--decimal", ",",
                    "--time-format", "%d.%m.%Y %H:%M", "--encoding", "cp1252")  # fmt: skip
    assert money(rows) == uci_revenue()
    assert first_days(rows) == {"17850": "2010-12-01", "13047": "2010-12-01"}


def test_file_3_an_index_without_a_name_and_gzip(tmp_path):
    rows = [(index, *row) for index, row in enumerate(UCI + UCI_LATER)]
    path = tmp_path / "online-retail.csv.gz"
    path.write_bytes(gzip.compress(written(rows, ("", *UCI_HEADER)).encode()))
    assert money(profiled(path, *UCI_COLUMNS, *EXACT)) == uci_revenue()


SUPERSTORE = "Row ID,Order ID,Order Date,Customer ID,Sales\n"


def test_file_4_superstore_with_a_mark_and_american_dates(tmp_path):
    text = SUPERSTORE + "1,CA-1,11/8/2018,CG-12520,261.96\n2,CA-1,11/8/2018,CG-12520,731.94\n"
    path = file(tmp_path / "superstore.csv", text, "utf-8-sig", "\r\n")
    rows = profiled(path, "--customer", "Customer ID", "--time", "Order Date", "--order",
                    "Order ID", "--amount", "Sales", "--time-format", "%m/%d/%Y",
                    "--type", "Sales=decimal(12,2)")  # fmt: skip
    assert first_days(rows) == {"CG-12520": "2018-11-08"}
    assert money(rows) == {"CG-12520": Decimal("993.90")}
    assert counts(rows) == {"CG-12520": 1}


@pytest.mark.parametrize(
    ("pattern", "day"), [("%d/%m/%Y", "2017-11-08"), ("%m/%d/%Y", "2017-08-11")]
)
def test_file_5_and_6_a_date_is_read_as_it_is_described(tmp_path, pattern, day):
    path = file(tmp_path / "a.csv", SUPERSTORE + "1,CA-1,8/11/2017,CG-12520,261.96\n")
    rows = profiled(path, "--customer", "Customer ID", "--time", "Order Date", "--amount", "Sales",
                    "--time-format", pattern)  # fmt: skip
    assert first_days(rows) == {"CG-12520": day}


def test_file_5_both_readings_are_named_where_both_fit(tmp_path):
    path = file(tmp_path / "a.csv", SUPERSTORE + "1,CA-1,8/11/2017,CG-12520,261.96\n")
    line = one_line(run("profile", path, "--customer", "Customer ID", "--time", "Order Date",
                        "--amount", "Sales", "--as-of", AS_OF))  # fmt: skip
    assert "'8/11/2017'" in line
    assert "line 2" in line
    assert "%d/%m/%Y" in line
    assert "%m/%d/%Y" in line
    assert "--time-format" in line


def test_file_5_a_day_that_fits_one_pattern_names_it(tmp_path):
    path = file(tmp_path / "a.csv", SUPERSTORE + "1,CA-1,13/11/2017,CG-12520,261.96\n")
    line = one_line(run("profile", path, "--customer", "Customer ID", "--time", "Order Date",
                        "--amount", "Sales", "--as-of", AS_OF))  # fmt: skip
    assert "'13/11/2017'" in line
    assert "--time-format" in line
    assert "%d/%m/%Y" in line
    assert "%m/%d/%Y" not in line


def test_file_7_excel_that_took_months_for_days_is_suspicious(tmp_path):
    """No day after the 12th in 384 distinct days: what is left of d/m read as m/d."""
    days = [dt.date(2015 + year, month, day) for year in range(3) for month in range(1, 13)
            for day in range(1, 13)]  # fmt: skip
    text = "customer_id,ordered_at,amount\n" + "".join(
        f"c{number % 7},{day},1\n" for number, day in enumerate(days)
    )
    result = run("profile", file(tmp_path / "a.csv", text), "--as-of", AS_OF)
    assert result.exit_code == 0
    assert "12th" in result.stderr


def workbook(path):
    from openpyxl import Workbook

    book = Workbook()
    title = book.active
    title.title = "Title Sheet"
    title.append(["Sprocket Central"])
    sheet = book.create_sheet("Transactions")
    sheet.append(
        ["transaction_id", "customer_id", "transaction_date", "order_status", "list_price"]
    )
    for row in (
        (1, 2950, day(2017, 2, 25), "Approved", 71.49),
        (2, 3120, day(2017, 5, 21), "Approved", 2091.47),
        (3, 2950, day(2017, 10, 16), "Cancelled", 1793.43),
        (4, None, day(2017, 10, 17), "Approved", 1.0),
    ):
        sheet.append(row)
    book.save(path)
    return path


KPMG = ("--time", "transaction_date", "--amount", "list_price", "--order", "transaction_id")


def test_file_8_a_workbook_of_several_sheets(tmp_path):
    path = workbook(tmp_path / "kpmg.xlsx")
    rows = profiled(path, "--sheet", "Transactions", *KPMG, "--only", "order_status == 'Approved'")
    assert money(rows) == {"2950": Decimal("71.49"), "3120": Decimal("2091.47")}
    line = one_line(run("profile", path, *KPMG, "--as-of", AS_OF))
    assert "--sheet" in line
    assert "Transactions" in line


def test_file_9_mac_roman_with_carriage_returns(tmp_path):
    text = "customer_id,ordered_at,amount\nJosé,2026-01-01,1\nÅsa,2026-01-02,2\n"
    path = file(tmp_path / "mac.csv", text, "mac_roman", "\r")
    assert money(profiled(path, "--encoding", "mac_roman")) == {"José": 1, "Åsa": 2}


def test_file_10_utf_16(tmp_path):
    text = "customer_id;ordered_at;amount\nZoë;2026-01-01;1,50\n"
    path = file(tmp_path / "u.csv", text, "utf-16", "\r\n")
    line = one_line(run("profile", path, "--as-of", AS_OF))
    assert "UTF-16" in line
    assert "--encoding" in line
    rows = profiled(path, "--encoding", "utf-16", "--delimiter", ";", "--decimal", ",")
    assert money(rows) == {"Zoë": Decimal("1.5")}


def test_file_11_documents_on_lines_with_what_is_nested(tmp_path):
    documents = [
        {"customer_id": 38, "order_date": "2016-12-26T09:28:48+00:00", "taxful_total_price": 36.98,
         "products": [{"sku": "ZO1", "price": 11.99}], "geoip": {"country": "EG"}},
        {"customer_id": 38, "order_date": "2016-12-27T23:30:00-02:00", "taxful_total_price": 5.02,
         "products": [], "geoip": {"country": "EG", "city": "Cairo"}},
    ]  # fmt: skip
    path = tmp_path / "ecommerce.json.gz"
    path.write_bytes(gzip.compress("".join(json.dumps(one) + "\n" for one in documents).encode()))
    rows = profiled(path, "--time", "order_date", "--amount", "taxful_total_price")
    assert rows["38"]["first_order_on"] == "2016-12-26"
    assert rows["38"]["last_order_on"] == "2016-12-28"  # 01:30 in UTC
    assert float(rows["38"]["revenue"]) == 42.0


NORTHWIND = (
    "OrderID,CustomerID,OrderDate,OrderID,UnitPrice,Quantity,Discount\n"
    "10248,VINET,1996-07-04 00:00:00.000,10248,14.0,12,0.0\n"
    "10248,VINET,1996-07-04 00:00:00.000,10248,9.8,10,0.25\n"
)


def test_file_12_two_columns_of_one_name(tmp_path):
    path = file(tmp_path / "northwind.csv", NORTHWIND)
    amount = ("--amount", "UnitPrice * Quantity * (1 - Discount)")
    columns = ("--customer", "CustomerID", "--time", "OrderDate")
    assert float(profiled(path, *columns, *amount)["VINET"]["revenue"]) == 241.5
    line = one_line(run("profile", path, *columns, *amount, "--order", "OrderID", "--as-of", AS_OF))
    assert "'OrderID'" in line
    query = f"select * from read_csv('{path}', header=true)"  # noqa: S608 - a file of the test's own
    rows = profiled("--sql", query, *columns, *amount, "--order", "OrderID")
    assert counts(rows) == {"VINET": 1}
    assert float(rows["VINET"]["revenue"]) == 241.5


@pytest.fixture
def jaffle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file(tmp_path / "raw_orders.csv", "id,user_id,order_date,status\n1,1,2018-01-01,returned\n"
         "2,3,2018-01-02,completed\n3,3,2018-01-04,placed\n")  # fmt: skip
    file(tmp_path / "raw_payments.csv", "id,order_id,payment_method,amount\n1,1,credit_card,1000\n"
         "2,2,credit_card,2000\n3,2,coupon,100\n4,3,coupon,250\n")  # fmt: skip
    file(tmp_path / "raw_customers.csv", "id,first_name\n1,Michael\n2,Shawn\n3,Kathleen\n")


@pytest.mark.usefixtures("jaffle")
def test_file_13_a_join():
    query = (
        "select user_id, order_date, status, p.amount from 'raw_orders.csv' o"
        " join 'raw_payments.csv' p on p.order_id = o.id"
    )
    result = run("profile", "--sql", query, "--customer", "user_id", "--time", "order_date",
                 "--only", "status != 'returned'", "--as-of", AS_OF)  # fmt: skip
    rows = {row["customer_id"]: row for row in csv.DictReader(io.StringIO(result.stdout))}
    assert money(rows) == {"3": Decimal(2350)}
    assert "4 rows" in result.stderr
    assert "user_id" in result.stderr  # columns, types, and the first row
    assert "1 row left out" in result.stderr


@pytest.mark.usefixtures("jaffle")
def test_file_13_customers_whose_id_has_another_name():
    rows = profiled("raw_orders.csv", "--customers", "raw_customers.csv", "--customer", "user_id",
                    "--listed-customer", "id", "--registered", "", "--time", "order_date",
                    "--no-amount", "--order", "id")  # fmt: skip
    assert counts(rows) == {"1": 1, "3": 2}
    assert "revenue" not in next(iter(rows.values()))


def test_file_15_iso_dates_run_as_they_are(tmp_path):
    path = file(tmp_path / "sales.csv", "CustomerID,OrderDate,TotalDue\n29485,2008-06-01T00:00:00,"
                "39785.33\n29531,2008-06-01,7330.89\n")  # fmt: skip
    rows = profiled(path, "--customer", "CustomerID", "--time", "OrderDate", "--amount", "TotalDue")
    assert money(rows) == {"29485": Decimal("39785.33"), "29531": Decimal("7330.89")}


def test_file_16_french_headers_and_cancelled_orders(tmp_path):
    text = (
        "Date,N° de commande,État,Client,Ventes nettes\n"
        "2026-01-05 09:12:44,3101,Terminée,Zoë Martin,45\n"
        "2026-01-06 10:00:00,3102,Annulée,Zoë Martin,20\n"
        "2026-01-07 10:00:00,3103,Annulée,Luc Petit,30\n"
    )
    path = file(tmp_path / "commandes.csv", text)
    columns = ("--customer", "Client", "--time", "Date", "--amount", "Ventes nettes",
               "--order", "N° de commande")  # fmt: skip
    assert money(profiled(path, *columns)) == {"Zoë Martin": 65, "Luc Petit": 30}
    result = run("profile", path, *columns, "--only", "État != 'Annulée'", "--as-of", AS_OF)
    rows = {row["customer_id"]: row for row in csv.DictReader(io.StringIO(result.stdout))}
    assert money(rows) == {"Zoë Martin": 45}
    assert "2 rows left out" in result.stderr


SHOPIFY = (
    "Name,Email,Financial Status,Total,Created at,Notes,Refunded Amount\n"
    '#1001,Ann@x.org,paid,540.00,2024-05-02 23:58:00 -0400,"leave it\nnext door",0.00\n'
    "#1001,Ann@x.org,,,2024-05-02 23:58:00 -0400,,\n"
    "#1002,ann@x.org ,paid,540.00,2024-06-01 10:00:00 -0400,,40.00\n"
    "#1002,ann@x.org ,paid,540.00,2024-06-01 10:00:00 -0400,,40.00\n"
    "#1003,bo@x.org,voided,99.00,2024-06-02 10:00:00 -0400,,0.00\n"
)
SHOPIFY_COLUMNS = ("--customer", "lower(trim(Email))", "--time", "Created at", "--order", "Name",
                   "--amount", "Total - if_null(column('Refunded Amount'), 0)",
                   "--only", "column('Financial Status') == 'paid'",
                   "--type", "Total=decimal(12,2)", "--type", "Refunded Amount=decimal(12,2)",
                   "--timezone", "America/New_York")  # fmt: skip


@pytest.mark.parametrize("exports", [1, 2])
def test_file_17_shopify_exports_that_overlap(tmp_path, exports):
    paths = [file(tmp_path / f"{number}.csv", SHOPIFY) for number in range(exports)]
    rows = profiled(*paths, *SHOPIFY_COLUMNS, "--duplicates", "drop")
    assert money(rows) == {"ann@x.org": Decimal("1040.00")}
    assert counts(rows) == {"ann@x.org": 2}
    assert first_days(rows) == {"ann@x.org": "2024-05-02"}


def test_file_17_duplicates_are_refused_with_a_line(tmp_path):
    path = file(tmp_path / "a.csv", SHOPIFY)
    result = run("profile", path, *SHOPIFY_COLUMNS, "--duplicates", "error", "--as-of", AS_OF)
    assert "line 6" in one_line(result)


def test_file_17_a_total_on_each_line(tmp_path):
    text = "customer_id,ordered_at,amount,order_id\n" + "a,2026-01-01,100,7\n" * 3
    path = file(tmp_path / "a.csv", text)
    rows = profiled(path, "--order", "order_id", "--amount-per", "order")
    assert money(rows) == {"a": 100}
    other = file(tmp_path / "b.csv", text + "a,2026-01-01,90,7\n")
    result = run("profile", other, "--order", "order_id", "--amount-per", "order", "--as-of", AS_OF)
    assert "amount" in one_line(result)
    assert "--amount-per line" in one_line(result)


def test_file_18_paypal(tmp_path):
    text = (
        '"Date","Time","TimeZone","Name","Type","Gross","From Email Address"\n'
        '"10/09/2026","14:02:11","CEST","Ana","Payment","1,500.00","Ana@example.com"\n'
        '"12/09/2026","09:00:00","CEST","Ana","Refund","-400.01","ana@example.com "\n'
        '"13/09/2026","09:00:00","CEST","Bo","Payment","0.00","bo@example.com"\n'
    )
    path = file(tmp_path / "paypal.csv", text, "utf-8-sig", "\r\n")
    rows = profiled(path, "--customer", "lower(trim(column('From Email Address')))", "--time",
                    "Date", "--amount", "Gross", "--thousands", ",", "--time-format", "%d/%m/%Y",
                    "--type", "Gross=decimal(12,2)")  # fmt: skip
    assert money(rows) == {"ana@example.com": Decimal("1099.99"), "bo@example.com": 0}
    assert counts(rows) == {"ana@example.com": 1, "bo@example.com": 1}
    assert first_days(rows)["ana@example.com"] == "2026-09-10"


@pytest.mark.parametrize("sign", ["", "$"])
def test_file_19_etsy(tmp_path, sign):
    text = (
        "Sale Date,Order ID,Buyer,Order Value,Discount Amount\n"
        f"09/03/26,1,ana,{sign}50.00,{sign}3.00\n09/12/26,2,bo,{sign}45.30,{sign}0.00\n"
    )
    path = file(tmp_path / "etsy.csv", text)
    rows = profiled(path, "--customer", "Buyer", "--time", "Sale Date", "--time-format", "%m/%d/%y",
                    "--amount", "column('Order Value') - column('Discount Amount')",
                    "--type", "Order Value=decimal(12,2)",
                    "--type", "Discount Amount=decimal(12,2)",
                    *(["--currency", sign] if sign else []))  # fmt: skip
    assert money(rows) == {"ana": Decimal("47.00"), "bo": Decimal("45.30")}
    assert first_days(rows) == {"ana": "2026-09-03", "bo": "2026-09-12"}


def test_file_20_hotmart_with_three_forms_of_dates(tmp_path):
    text = (
        "id_pedido;id_cliente;data;valor\n"
        "1;a;13/02/2026 10:00:00;1.234,56\n2;b;2026-02-14;15.000,00\n3;c;15-02-2026;99,90\n"
    )
    path = file(tmp_path / "hotmart.csv", text, "cp1252")
    rows = profiled(path, "--customer", "id_cliente", "--time", "data", "--amount", "valor",
                    "--delimiter", ";", "--decimal", ",", "--thousands", ".",
                    "--time-format", "%d/%m/%Y %H:%M:%S", "--time-format", "%Y-%m-%d",
                    "--time-format", "%d-%m-%Y", "--type", "valor=decimal(12,2)")  # fmt: skip
    assert sum(money(rows).values()) == Decimal("16334.46")
    assert first_days(rows) == {"a": "2026-02-13", "b": "2026-02-14", "c": "2026-02-15"}


def test_file_21_orders_without_dates_are_refused(tmp_path):
    path = file(tmp_path / "orders.csv", "order_id,user_id,order_dow,days_since_prior_order\n"
                "1,1,2,\n2,1,3,15.0\n")  # fmt: skip
    line = one_line(run("profile", path, "--customer", "user_id", "--no-amount", "--as-of", AS_OF,
                        "--time", "days_since_prior_order"))  # fmt: skip
    assert "days_since_prior_order" in line
    line = one_line(run("profile", path, "--customer", "user_id", "--no-amount", "--as-of", AS_OF))
    assert "'ordered_at'" in line
    assert "--time" in line


def test_amazon_reports_are_text_with_tabs(tmp_path):
    text = (
        "amazon-order-id\tpurchase-date\tbuyer\titem-price\n"
        "026-1\t2026-01-01T23:30:00+00:00\tana\t12.50\n"
    )
    path = file(tmp_path / "report.txt", text)
    rows = profiled(path, "--format", "csv", "--delimiter", "\t", "--customer", "buyer", "--time",
                    "purchase-date", "--amount", "item-price", "--order", "amazon-order-id",
                    "--timezone", "Europe/Madrid")  # fmt: skip
    assert first_days(rows) == {"ana": "2026-01-02"}
    line = one_line(run("profile", path, "--as-of", AS_OF))
    assert "--format csv" in line


def test_what_a_query_gives_is_piped_in():
    text = "customer_id,ordered_at,amount\na,2026-01-01,15\n"
    with process("profile", "-", "--as-of", AS_OF, "--quiet", stdin=subprocess.PIPE) as started:
        out, err = started.communicate(text.encode(), timeout=60)
    assert started.returncode == 0, err
    assert b'\n"a",2026-01-01,2026-01-01,' in out
    table = pa.table({"customer_id": ["a"], "ordered_at": [dt.date(2026, 1, 1)], "amount": [15]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with process("profile", "-", "--as-of", AS_OF, "--quiet", stdin=subprocess.PIPE) as started:
        out, err = started.communicate(sink.getvalue().to_pybytes(), timeout=60)
    assert started.returncode == 0, err
    assert b'\n"a",2026-01-01,2026-01-01,' in out


def test_all_of_a_shape_from_python_as_from_the_command_line(uci_days):
    history = oc.OrderHistory.build(
        uci_days,
        columns=oc.Columns(customer="CustomerID", time="InvoiceDate", order="InvoiceNo",
                           amount="UnitPrice * Quantity"),
        read=oc.CsvFormat(types={"UnitPrice": "decimal(12,3)", "Quantity": "integer"}),
    )  # fmt: skip
    profile = history.profile(AS_OF)
    assert {str(row["customer_id"]): row["revenue"] for row in profile.to_pylist()} == uci_revenue()
