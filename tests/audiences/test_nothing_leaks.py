"""No output, log, error or file of a sync holds an address, a number or a secret."""

import base64
import logging

import pytest
from support.mailing import address, audience, hashed, people, phone
from support.vendors import KEY, SECRET, TOKEN, FakeMailchimp, FakeMeta, meta_error, said, served

import ordercycle as oc
from ordercycle.connect import Mailchimp, Meta

NUMBERS = range(6)
SECRETS = [TOKEN, SECRET, KEY, base64.b64encode(f"ordercycle:{KEY}".encode()).decode()]
PERSONAL = [text for one in NUMBERS for text in (address(one), phone(one))]


def shown(found):
    return f"{found.value} {found.value!r} {vars(found.value)} {found.getrepr(showlocals=False)}"


def runs(state, url, vendors):
    """Yield everything that syncs show."""
    meta = Meta("123", TOKEN, app_secret=SECRET, base_url=url[0])
    mailchimp = Mailchimp("a1b2c3", KEY, base_url=url[1])
    contacts = people(NUMBERS)
    top = audience(NUMBERS)
    yield repr([meta, mailchimp, contacts, top, top.summary(), vars(meta), vars(mailchimp)])
    for connector in (meta, mailchimp):
        yield repr(top.sync(connector, contacts, state, dry_run=True))
        yield str(top.sync(connector, contacts, state))
    vendors[0].fail(meta_error(190, status=401))
    vendors[1].fail(said({"detail": f"{address(1)} is no member"}, 400))
    for connector in (meta, mailchimp):
        with pytest.raises(oc.SyncError) as found:
            audience(range(1, 5)).sync(connector, contacts, state)
        yield f"{found.value} {found.value!r} {vars(found.value)}"
    yield str(top.reach(contacts))


@pytest.mark.filterwarnings("ignore:Meta has this list")
def test_runs(tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    vendors = (FakeMeta(), FakeMailchimp(members=[address(one) for one in NUMBERS]))
    vendors[0].secret = SECRET
    with served(vendors[0]) as first, served(vendors[1]) as second:
        printed = "\n".join(runs(tmp_path / "s", (first, second), vendors))
    printed += caplog.text + "".join(capfd.readouterr())
    for secret in (*SECRETS, *PERSONAL):
        assert secret not in printed
    for digest in map(hashed, PERSONAL):
        assert digest not in printed
    files = [path for path in (tmp_path / "s").rglob("*") if path.is_file()]
    assert len(files) >= 6
    for path in files:
        content = path.read_bytes() + str(path).encode()
        for secret in SECRETS:
            assert secret.encode() not in content
        if "mailchimp" not in str(path):  # its removals need the addresses
            for text in PERSONAL:
                assert text.encode() not in content
                assert base64.b64encode(text.encode()) not in content
        assert not path.stat().st_mode & 0o077


def test_errors_of_contacts(tmp_path):
    import pyarrow as pa

    table = pa.table({"customer_id": ["c1", "c1"], "email": [address(1), address(2)]})
    with pytest.raises(oc.DataError) as found:
        oc.Contacts(table, oc.ContactColumns(phone=()))
    assert address(1) not in f"{found.value} {found.value!r}"
    with pytest.raises(oc.ConfigError) as found:
        oc.Contacts(
            table.slice(0, 1), oc.ContactColumns(phone=()), suppress={"hashes": [address(1)]}
        )
    assert address(1) not in f"{found.value} {found.value!r}"
    with pytest.raises(oc.ConfigError) as found:
        oc.env(f"{address(1)}=")
    assert address(1) not in f"{found.value} {found.value!r}"
    contacts = oc.Contacts(table.slice(0, 1), oc.ContactColumns(phone=()))
    audience([1]).to_csv(tmp_path / "one.csv", contacts, "meta")
    assert (tmp_path / "one.csv").stat().st_mode & 0o777 == 0o600
    assert address(1) not in (tmp_path / "one.csv").read_text()


def test_a_secret_that_cannot_be_had(tmp_path):
    def vault():
        raise KeyError(TOKEN)

    meta = Meta("123", vault, base_url="http://127.0.0.1:9")
    with pytest.raises(oc.ConfigError, match="raised KeyError") as found:
        audience([1]).sync(meta, people([1]), tmp_path / "s")
    assert TOKEN not in shown(found)
    assert found.value.__context__ is None
