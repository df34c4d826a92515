"""Who is suppressed, or said no, is reached by no target, however it writes what finds them."""

import hashlib

import pyarrow as pa
import pytest

import ordercycle as oc

TARGETS = ("meta", "google", "mailchimp", "klaviyo", "plain")


def reached(target, suppress=None, region=None, consent=None, **columns):
    """Return which of customers 0, 1, ... a target is told of, and why not the others."""
    count = len(next(iter(columns.values())))
    table = pa.table({"customer_id": list(range(count)), **columns})
    known = {"email": ("email",) if "email" in columns else ()}
    known["phone"] = ("phone",) if "phone" in columns else ()
    if "country" in columns:
        known["country"] = "country"
    if consent is not None:
        known["consent"] = "consent"
        table = table.append_column("consent", consent)
    contacts = oc.Contacts(table, oc.ContactColumns(**known), region, suppress)
    audience = oc.Audience.where(table.select(["customer_id"]), "true", name="All")
    found = audience.reach(contacts, target)
    return found.reachable, {cause: n for cause, n in found.unreachable.items() if n}


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "suppress",
    [
        {"phones": ["+34 600 00 00 00"]},
        {"phones": ["600 000 000"]},  # national in the customer's own country
        {"hashes": [digest("34600000000")]},
        {"hashes": [digest("+34600000000").upper()]},
        {"hashes": [digest("jane.doe@gmail.com")]},
        {"hashes": [digest("janedoe@gmail.com")]},
        {"emails": [" JANEDOE+news@gmail.com", "x@y"]},
        {"emails": ["Jane.Doe@gmail.com"]},
        {"customers": [0]},
        {"customers": pa.array([0, 0, 7]).dictionary_encode()},
    ],
)
def test_suppressed(target, suppress):
    columns = {
        "email": ["jane.doe@gmail.com", "bob@example.com"],
        "phone": ["+34600000000", None],
        "country": ["es", None],
    }
    assert reached(target, suppress, **columns) == (1, {"suppressed": 1})
    assert reached(target, **columns) == (2, {})


@pytest.mark.parametrize(
    ("consent", "found"),
    [
        (pa.array([True, False, True]), (1, {"no_consent": 2})),
        (pa.array(["yes", "No", "1"]).dictionary_encode(), (1, {"no_consent": 2})),
        (pa.array([1, 0, 1]), (1, {"no_consent": 2})),
        # Of whom nothing is known is not reached, and keeps nobody else from it.
        (pa.array([True, None, True]), (2, {"no_consent": 1})),
        (pa.array(["yes", " ", "1"], pa.string_view()), (2, {"no_consent": 1})),
    ],
)
def test_who_shares_an_address_with_someone_who_said_no(consent, found):
    emails = ["ann@example.com", "Ann@Example.com ", "bob@example.com"]
    assert reached("mailchimp", email=emails, consent=consent) == found


def test_texts_mean_the_same_beside_others():
    """What becomes of one text does not depend on the alphabets of the others."""
    given = ["john @ example .com", "a\tb@example.com", "=x@example.com", " ann@example.com\n"]
    for target, right in (("google", 2), ("meta", 1)):
        for further in ([], ["é@example.com"]):
            count, _ = reached(target, email=given + further)
            assert count == right + len(further), (target, further)


@pytest.mark.parametrize(
    ("column", "given", "country", "right"),
    [
        ("first_name", "Jean\u00a0Paul - X.", None, "jean paul x"),
        ("first_name", "ΑΝΝΑ\u3000Ω", None, "αννα ω"),
        ("city", "Saint\u00a0Denis", None, "saintdenis"),
        ("state", "New Hampshire", None, "nh"),
        ("state", "new hampshire", "US", "nh"),
        ("state", "New Hampshire", "GB", "newhampshire"),
        ("state", "Baden-Württemberg", None, "badenwürttemberg"),
        ("state", "AE", "US", "ae"),
        ("state", "Atlantis", "US", ""),
    ],
)
def test_names_and_places(tmp_path, column, given, country, right):
    people = {"customer_id": [1], "email": ["a@b.org"], column: [given]}
    people["country"] = pa.array([country], pa.string())
    columns = oc.ContactColumns(phone=(), country="country", **{column: column})
    audience = oc.Audience.where(pa.table({"customer_id": [1]}), "true", name="One")
    contacts = oc.Contacts(pa.table(people), columns)
    audience.to_csv(tmp_path / "x.csv", contacts, "meta", hashed=False)
    header, row = (line.split(",") for line in (tmp_path / "x.csv").read_text().splitlines())
    key = {"first_name": "fn", "city": "ct", "state": "st"}[column]
    assert row[header.index(key)] == right
