"""What vendors publish of normalised texts and their hashes, one by one."""

import base64
import datetime as dt
import hashlib

import pyarrow as pa
import pytest
from support.vendors import KEY, FakeMailchimp

import ordercycle as oc
from ordercycle._sync.digests import digests, hexadecimal
from ordercycle.connect import Mailchimp

EMPTY = hashlib.sha256(b"").hexdigest()
PEOPLE = oc.ContactColumns(
    first_name="first", last_name="last", city="city", state="state", zip="zip", country="country",
    gender="gender", born="born",
)  # fmt: skip


def written(tmp_path, target, *, hashed=True, region=None, **given):
    """Return the fields of the one customer in a target's file."""
    columns = {"email": None, "phone": None, **dict.fromkeys(("first", "last", "city", "state"))}
    columns |= {"zip": None, "country": None, "gender": None, "born": None, **given}
    born = columns["born"]
    fields = {
        name: pa.array([value], pa.date32() if name == "born" and born else pa.string())
        for name, value in columns.items()
    }
    contacts = oc.Contacts(pa.table({"customer_id": [1], **fields}), PEOPLE, default_region=region)
    audience = oc.Audience.where(pa.table({"customer_id": [1]}), "true", name="One")
    reach = audience.to_csv(tmp_path / "one.csv", contacts, target, hashed=hashed)
    header, *rows = (line.split(",") for line in (tmp_path / "one.csv").read_text().splitlines())
    assert len(rows) == reach.reachable
    assert EMPTY not in (tmp_path / "one.csv").read_text()
    found = {}
    for row in rows:
        for name, value in zip(header, row, strict=True):
            found.setdefault(name, value)
    return found


MARY = "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79"


@pytest.mark.parametrize(
    ("column", "given", "key", "digest"),
    [
        ("email", "mary@example.com", "email", MARY),
        ("phone", "15559876543", "phone",
         "1ef970831d7963307784fa8688e8fce101a15685d62aa765fed23f3a2c576a4e"),
        ("email", " John_Smith@gmail.com ", "email",
         "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
        ("phone", "(650)555-1212", "phone",
         "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        ("first", "Mary", "fn", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
        ("first", "정", "fn", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        ("first", "Valéry", "fn",
         "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        ("first", "Vale\u0301ry", "fn",
         "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
        ("born", dt.date(1997, 2, 16), "dob",
         "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c"),
        ("country", "US", "country",
         "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
        ("country", "United States", "country",
         "79adb2a2fce5c6ba215fe5f27f532d4e7edbac4b6a5e09e1ef3a08084a904621"),
    ],
)  # fmt: skip
def test_meta(tmp_path, column, given, key, digest):
    known = {"email": "mary@example.com", column: given}
    region = "US" if column == "phone" else None
    assert written(tmp_path, "meta", region=region, **known)[key] == digest


@pytest.mark.parametrize(
    ("column", "given", "key", "digest", "encoded"),
    [
        ("email", "  ALEXZ@example.com   ", "Email",
         "509e933019bb285a134a9334b8bb679dff79d0ce023d529af4bd744d47b4fd8a",
         "UJ6TMBm7KFoTSpM0uLtnnf950M4CPVKa9L10TUe0/Yo="),
        ("phone", "1-800-555-0100", "Phone",
         "fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30",
         "+09zpuxf23B31WTN0iw1VLQ85JFoVQw7EsVHt4xRezA="),
    ],
)  # fmt: skip
def test_google(tmp_path, column, given, key, digest, encoded):
    found = written(tmp_path, "google", **{column: given})[key]
    assert found == digest
    assert base64.b64encode(bytes.fromhex(found)).decode() == encoded


def test_googles_names_go_with_postcode_and_country_only(tmp_path):
    known = {"first": "GivenName", "last": "FamilyName", "zip": "94045", "country": "us"}
    found = written(tmp_path, "google", **known)
    assert found["First Name"] == "128a07bfe2df877c52076e60d7774cf5baaa046c5a6c48daf30ff43ecca2f814"
    assert found["Last Name"] == "77762c287e61ce065bee5c15464012c6fbe088398b8057627d5577249430d574"
    assert (found["Country"], found["Zip"]) == ("US", "94045")
    without = written(tmp_path, "google", **{**known, "zip": None}, email="ann@example.com")
    assert (without["First Name"], without["Country"]) == ("", "")


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("Jefferson.Loves.hiking@gmail.com", "jeffersonloveshiking@gmail.com"),
        ("cloudy.sanfrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com"),
        ("user.name+NYC@Example.com", "user.name+nyc@example.com"),
        ("", None),
        ("quinn", None),
        (" @googlemail.com", None),
        (" ...@gmail.com", None),
    ],
)
def test_googles_addresses(tmp_path, given, right):
    found = written(tmp_path, "google", hashed=False, email=given)
    assert found.get("Email") == right


def test_numbers_of_google_are_e164(tmp_path):
    found = written(tmp_path, "google", hashed=False, phone="+44-113-496-0987")
    assert found["Phone"] == "+441134960987"


def test_mailchimps_members_are_deleted_by_their_md5(tmp_path):
    """62eeb292... is what its guide has for Urist.McVankab@freddiesjokes.com."""
    vendor = FakeMailchimp(members=["urist.mcvankab@freddiesjokes.com"])
    mailchimp = Mailchimp(vendor.listed, KEY, base_url="http://localhost:9")
    mailchimp._connection.transport = vendor
    people = {"customer_id": [1], "email": ["Urist.McVankab@freddiesjokes.com"]}
    contacts = oc.Contacts(pa.table(people), oc.ContactColumns(phone=()))
    audience = oc.Audience.where(pa.table({"customer_id": [1]}), "true", name="One")
    audience.sync(mailchimp, contacts, tmp_path / "s")
    oc.forget([1], connectors=[mailchimp], state=tmp_path / "s")
    assert vendor.writes()[-1].split("/")[5] == "62eeb292278cc15f5817cb78f7790b08"
    assert not vendor.statuses


@pytest.mark.parametrize(
    ("given", "digest"),
    [
        ("janedoe@gmail.com", "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69"),
        ("5f3a2b18-9c4d-4e7f-b8e2-17d3a1e69b25",
         "83dc3f5f32b9472613b0f038d36f22585a609d018af6f6067f50da318bf354bd"),
        ("+16577770000", "a6e82c2f4091"),
        ("16577770000", "8d7bdaaf7519"),
    ],
)  # fmt: skip
def test_tiktok(given, digest):
    (found,) = hexadecimal(digests(pa.array([given], pa.large_string())))
    assert found.as_py().startswith(digest)


@pytest.mark.parametrize(
    ("column", "given", "key", "right"),
    [
        ("city", "New York", "ct", "newyork"),
        ("city", "St. John's", "ct", "stjohns"),
        ("city", "Москва", "ct", "москва"),
        ("state", "New Hampshire", "st", "nh"),
        ("state", "CA", "st", "ca"),
        ("state", "Atlantis", "st", ""),
        ("zip", "94035-1234", "zip", "94035"),
        ("gender", "Female", "gen", "f"),
        ("gender", "unknown", "gen", ""),
        ("first", "Anne-Marie O'Neil", "fn", "annemarie oneil"),
        ("born", dt.date(1897, 2, 16), "dob", ""),
        ("born", dt.date(1997, 2, 6), "doby", "1997"),
        ("country", "Atlantis", "country", ""),
        ("phone", "+44 (0)113 496 0987", "phone", "441134960987"),
        ("phone", "000 000 000", "phone", ""),
        ("phone", "call me", "phone", ""),
    ],
)
def test_metas_texts(tmp_path, column, given, key, right):
    known = {"email": "a@example.com", "country": "US", column: given}
    assert written(tmp_path, "meta", hashed=False, **known)[key] == right


def test_british_postcodes_stay_whole(tmp_path):
    found = written(tmp_path, "meta", hashed=False, email="a@b.org", zip="M1 1AE", country="UK")
    assert (found["zip"], found["country"]) == ("m11ae", "gb")
