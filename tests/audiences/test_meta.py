"""Syncs with Meta: what its server has afterwards, whatever it answers in between."""

import json
import logging
import os
import pickle
import stat

import pytest
from support.mailing import address, audience, found_by, hashed, people, phone
from support.vendors import SECRET, TOKEN, FakeMeta, Lost, meta_error, said, served

import ordercycle as oc
from ordercycle.connect import Meta

pytestmark = pytest.mark.filterwarnings("ignore:Meta has this list")


@pytest.fixture
def vendor():
    return FakeMeta()


@pytest.fixture
def meta(vendor):
    return connected(vendor)


def connected(vendor, rows=4, **options):
    made = Meta(vendor.account, TOKEN, base_url="http://localhost:9", **options)
    made._connection.transport = vendor
    made._connection.batch_rows = rows
    return made


def counts(report):
    return (report.added, report.removed, report.changed, report.unchanged)


def test_a_list_over_http(tmp_path, vendor):
    vendor.secret = SECRET
    for number in range(5):
        vendor.add_audience(f"Other {number}")
    with served(vendor) as url:
        meta = Meta("act_123", oc.env("TEST_TOKEN"), lambda: SECRET, base_url=url)
        os.environ["TEST_TOKEN"] = TOKEN
        meta._connection.batch_rows = 3
        first = audience(range(10)).sync(meta, people(range(12)), tmp_path / "state")
        assert counts(first) == (10, 0, 0, 0)
        assert first.batches == 4
        assert vendor.members("Top") == found_by(range(10))
        moved = {4: 1, 5: 1}
        later = audience(range(2, 12))
        second = later.sync(meta, people(range(12), moved), tmp_path / "state")
        assert counts(second) == (2, 2, 2, 6)
        assert vendor.members("Top") == found_by(range(2, 12), moved)
        again = later.sync(meta, people(range(12), moved), tmp_path / "state")
        assert counts(again) == (0, 0, 0, 10)
        assert again.batches == 0
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    for path in (tmp_path / "state").rglob("*"):
        assert not path.stat().st_mode & 0o077, path


def test_a_dry_run_writes_nothing(tmp_path, vendor, meta):
    report = audience(range(9)).sync(meta, people(range(9)), tmp_path / "s", dry_run=True)
    assert (report.added, report.batches, report.dry_run) == (9, 3, True)
    assert not vendor.writes()
    assert not list(tmp_path.iterdir())
    audience(range(9)).sync(meta, people(range(9)), tmp_path / "s")
    before = {path: path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file()}
    requests = len(vendor.writes())
    report = audience(range(3, 12)).sync(meta, people(range(12)), tmp_path / "s", dry_run=True)
    assert counts(report) == (3, 3, 0, 6)
    assert len(vendor.writes()) == requests
    assert {
        path: path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file()
    } == before


def test_values_and_lookalikes(tmp_path, vendor, meta):
    values = {0: 44.5, 1: 140.0, 2: -1.0, 3: float("nan"), 4: 0.9}
    report = audience(range(5), values=values).sync(meta, people(range(5)), tmp_path / "s")
    assert report.values_replaced == 2
    top = vendor.named("Top")
    assert top["is_value_based"]
    right = {0: 44.5, 1: 140, 2: 0, 3: 0, 4: 0.9}
    assert {one: top["members"][hashed(address(one))] for one in range(5)} == right
    changed = audience(range(5), values={**values, 4: 2.0})
    assert counts(changed.sync(meta, people(range(5)), tmp_path / "s")) == (0, 0, 1, 4)
    assert top["members"][hashed(address(4))] == 2.0
    assert not vendor.removed
    found = meta.lookalike("Top", country="es", ratio=0.01)
    assert meta.lookalike("Top", country="ES", ratio=0.01) == found
    spec = json.loads(vendor.audiences[found.id]["form"]["lookalike_spec"])
    assert spec == {"ratio": 0.01, "country": "ES", "type": "custom_ratio"}
    with pytest.raises(oc.ConfigError, match="here has none"):
        audience(range(5)).sync(meta, people(range(5)), tmp_path / "s")
    for wrong in ({"ratio": 0.3}, {"ratio": 0.015}, {"country": "Spain"}):
        with pytest.raises(oc.ConfigError):
            meta.lookalike("Top", **{"country": "ES", **wrong})
    with pytest.raises(oc.ConfigError, match="no audience called 'Tip'"):
        meta.lookalike("Tip", country="ES")


def test_details_are_sent_and_a_change_of_them_is_one(tmp_path, vendor, meta):
    first = people(range(3), first_name=["Ann", "Bob", "Cid"], country=["ES", "US", "xx"])
    audience(range(3)).sync(meta, first, tmp_path / "s")
    then = people(range(3), first_name=["Anne", "Bob", "Cid"], country=["ES", "US", "xx"])
    assert counts(audience(range(3)).sync(meta, then, tmp_path / "s")) == (0, 0, 1, 2)
    assert not vendor.removed


@pytest.mark.parametrize(
    ("failure", "on"),
    [
        (Lost, "customaudiences"),
        (Lost, "users"),
        (meta_error(80003, status=400), "users"),
        (meta_error(1, status=500, transient=True), ""),
        ((502, {}, b"<html>"), ""),
        ((429, {"retry-after": "7"}, b""), ""),
    ],
)
def test_answers_after_which_a_request_is_repeated(tmp_path, vendor, meta, waits, failure, on):
    vendor.fail(failure, failure, on=on)
    audience(range(9)).sync(meta, people(range(9)), tmp_path / "s")
    assert vendor.members("Top") == found_by(range(9))
    assert waits
    if failure[0] == 429 if failure is not Lost else False:
        assert waits[0] == 7


def test_it_waits_as_long_as_the_vendor_says(tmp_path, vendor, meta, waits):
    usage = {"123": [{"type": "custom_audience", "estimated_time_to_regain_access": 3}]}
    headers = {"x-business-use-case-usage": json.dumps(usage)}
    vendor.fail(meta_error(80003, headers=headers), on="users")
    audience(range(3)).sync(meta, people(range(3)), tmp_path / "s")
    assert waits == [180]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (meta_error(190, status=401), "the token is not valid"),
        (meta_error(200, 1870034), "terms of custom audiences"),
        (meta_error(200), "may not do this"),
        (meta_error(294), "ads_management"),
        (meta_error(2635), "no longer served"),
        (meta_error(100, 1713230), "health or finances"),
        ((200, {}, b"<html>ok</html>"), "makes no sense"),
        ((200, {}, b'{"ok": "ann@example.com"}'), "makes no sense"),
        ((302, {"Location": "http://example.com"}, b""), "makes no sense"),
        (said({"session_id": "1", "num_invalid_entries": "many"}), "makes no sense"),
    ],
)
def test_answers_that_stop(tmp_path, vendor, meta, failure, message):
    vendor.fail(failure, on="users")
    with pytest.raises(oc.SyncError, match=message) as found:
        audience(range(9)).sync(meta, people(range(9)), tmp_path / "s")
    shown = f"{found.value} {found.value.what} {found.value!r}"
    assert TOKEN not in shown
    assert "ann@example.com" not in shown
    assert pickle.loads(pickle.dumps(found.value)).code == found.value.code  # noqa: S301 - our own
    assert len(vendor.writes()) <= 1 + 2  # those on their way; the last one waits for them
    audience(range(9)).sync(meta, people(range(9)), tmp_path / "s")
    assert vendor.members("Top") == found_by(range(9))


def test_waits_are_not_printed_where_nobody_logs(tmp_path, vendor, meta, waits, monkeypatch, capfd):
    monkeypatch.setattr(logging.getLogger("ordercycle"), "propagate", False)
    vendor.fail(*[Lost] * 8, on="/users")
    with pytest.raises(oc.SyncError, match="does not answer, after 8 requests"):
        audience(range(3)).sync(meta, people(range(3)), tmp_path / "s")
    assert max(waits) >= 5
    assert capfd.readouterr() == ("", "")


def test_a_vendor_that_never_answers(tmp_path, vendor, meta, waits, caplog):
    vendor.fail(*[Lost] * 8, on="/users")
    with pytest.raises(oc.SyncError, match="does not answer, after 8 requests"):
        audience(range(3)).sync(meta, people(range(3)), tmp_path / "s")
    assert len(waits) == 7
    assert len(vendor.audiences) == 1
    # Waits that somebody would notice are told of, and nothing else.
    long = [round(one) for one in waits if one >= 5]
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == [
        f"Meta does not answer; request {number} of 8 follows in {wait} s"
        for number, wait in enumerate(long, start=9 - len(long))
    ]


def test_a_batch_that_is_refused_as_a_whole_is_halved(tmp_path, vendor, meta):
    vendor.bad_rows = {hashed(address(2)), hashed(phone(7))}
    report = audience(range(9)).sync(meta, people(range(9)), tmp_path / "s")
    assert (report.added, report.rejected) == (7, 2)
    assert vendor.members("Top") == found_by([0, 1, 3, 4, 5, 6, 8])
    vendor.bad_rows = set()
    report = audience(range(9)).sync(meta, people(range(9)), tmp_path / "s")
    assert (report.added, report.unchanged) == (2, 7)  # they are tried again
    assert vendor.members("Top") == found_by(range(9))


def test_rows_that_the_vendor_counts_as_invalid(tmp_path, vendor, meta):
    vendor.fail(said({"session_id": "1", "num_received": 3, "num_invalid_entries": 1}), on="/users")
    assert audience(range(3)).sync(meta, people(range(3)), tmp_path / "s").rejected == 1


def test_a_list_that_would_become_too_small(tmp_path, vendor, meta):
    audience(range(8)).sync(meta, people(range(8)), tmp_path / "s")
    vendor.smallest = 100
    report = audience(range(2, 9)).sync(meta, people(range(9), {3: 1}), tmp_path / "s")
    assert (report.added, report.removed, report.refused) == (1, 0, 3)
    assert vendor.members("Top") == found_by(range(9)) | found_by([3], {3: 1})
    vendor.smallest = 0
    report = audience(range(2, 9)).sync(meta, people(range(9), {3: 1}), tmp_path / "s")
    assert report.removed == 2
    assert vendor.members("Top") == found_by(range(2, 9), {3: 1})


def test_replacing(tmp_path, vendor, meta):
    number = vendor.add_audience("Top")
    vendor.audiences[number]["members"] = {"left over": None}
    vendor.fail(meta_error(2650, 1870145), on="usersreplace")
    report = audience(range(9)).sync(meta, people(range(9)), tmp_path / "s", mode="replace")
    assert report.added == 9
    assert vendor.members("Top") == found_by(range(9))
    report = audience(range(5, 12)).sync(meta, people(range(12)), tmp_path / "s", mode="replace",
                                         largest_removal=0.9)  # fmt: skip
    assert counts(report) == (3, 5, 0, 4)
    assert vendor.members("Top") == found_by(range(5, 12))
    report = audience(range(6, 12)).sync(meta, people(range(12)), tmp_path / "s")
    assert counts(report) == (0, 1, 0, 6)
    assert vendor.members("Top") == found_by(range(6, 12))


def test_adding_only_remembers_who_left(tmp_path, vendor, meta):
    audience(range(6)).sync(meta, people(range(6)), tmp_path / "s")
    moved = {4: 1}
    report = audience(range(2, 8)).sync(
        meta, people(range(8), moved), tmp_path / "s", mode="add_only"
    )
    assert (report.added, report.removed, report.changed) == (2, 0, 1)
    assert vendor.members("Top") == found_by(range(8)) | found_by([4], moved)
    report = audience(range(2, 8)).sync(meta, people(range(8), moved), tmp_path / "s")
    assert report.removed == 2
    assert vendor.members("Top") == found_by(range(2, 8), moved)


def test_an_address_that_goes_from_one_customer_to_another_stays(tmp_path, vendor, meta):
    def contacts(first, second):
        table = {"customer_id": ["c0", "c1"], "email": [first, second]}
        return oc.Contacts(oc_table(table), oc.ContactColumns(phone=()))

    audience(range(2)).sync(meta, contacts("a@example.com", "b@example.com"), tmp_path / "s")
    for mode in ("changes", "add_only", "changes"):
        later = contacts("c@example.com", "a@example.com")
        audience(range(2)).sync(meta, later, tmp_path / "s", mode=mode)
        assert {hashed("c@example.com"), hashed("a@example.com")} <= vendor.members("Top")
    assert vendor.members("Top") == {hashed("c@example.com"), hashed("a@example.com")}


def oc_table(columns):
    import pyarrow as pa

    return pa.table(columns)


def test_guards(tmp_path, vendor, meta):
    state = tmp_path / "s"
    with pytest.raises(oc.ConfigError, match="allow_empty=True"):
        audience([]).sync(meta, people(range(3)), state)
    assert not vendor.requests
    audience(range(10)).sync(meta, people(range(10)), state)
    for options in ({}, {"dry_run": True}, {"mode": "replace"}):
        with pytest.raises(oc.ConfigError, match=r"6 of 10 customers .* largest_removal=1\.0"):
            audience(range(4)).sync(meta, people(range(10)), state, **options)
    assert vendor.members("Top") == found_by(range(10))
    audience([]).sync(meta, people(range(3)), state, allow_empty=True, largest_removal=1.0)
    assert not vendor.members("Top")
    for wrong in ({"mode": "sometimes"}, {"largest_removal": 2}, {"largest_removal": True}):
        with pytest.raises(oc.ConfigError):
            audience(range(4)).sync(meta, people(range(10)), state, **wrong)


def test_a_list_that_was_deleted_there_is_made_again(tmp_path, vendor, meta):
    audience(range(5)).sync(meta, people(range(5)), tmp_path / "s")
    vendor.audiences.clear()
    with pytest.warns(oc.OrdercycleWarning, match="no longer there"):
        report = audience(range(5)).sync(meta, people(range(5)), tmp_path / "s")
    assert report.added == 5
    assert vendor.members("Top") == found_by(range(5))


def test_who_left_meanwhile_is_sent_to_the_new_list_once_back(tmp_path, vendor, meta):
    audience(range(5)).sync(meta, people(range(5)), tmp_path / "s")
    vendor.audiences.clear()
    with pytest.warns(oc.OrdercycleWarning, match="no longer there"):
        audience(range(1, 5)).sync(meta, people(range(5)), tmp_path / "s")
    assert audience(range(5)).sync(meta, people(range(5)), tmp_path / "s").added == 1
    assert vendor.members("Top") == found_by(range(5))


def test_a_plan_for_a_list_that_was_deleted_is_dropped(tmp_path, vendor, meta):
    vendor.fail(meta_error(190, status=401), on="/users")
    with pytest.raises(oc.SyncError):
        audience(range(9)).sync(meta, people(range(9)), tmp_path / "s")
    vendor.audiences.clear()
    vendor.audiences["5"] = {"id": "5", "name": "Other", "is_value_based": False, "members": {}}
    audience(range(3, 9)).sync(meta, people(range(9)), tmp_path / "s")
    assert vendor.members("Top") == found_by(range(3, 9))


def test_two_lists_of_one_name(tmp_path, vendor, meta):
    vendor.add_audience("Top")
    vendor.add_audience("Top")
    with pytest.raises(oc.ConfigError, match="2 audiences called 'Top'"):
        audience(range(5)).sync(meta, people(range(5)), tmp_path / "s")


def test_rows_that_the_vendor_takes_for_wrong(tmp_path, vendor, meta):
    """They are sent again next time; of which it says nothing, only their number is known."""
    meta._connection.batch_rows = 8
    vendor.bad_rows = {hashed(address(9))}  # halves a batch: places are of the whole of it
    vendor.invalid = {
        hashed(address(1)): json.dumps,
        hashed(address(4)): lambda row: row,
        hashed(address(10)): lambda row: {json.dumps(row, indent=1): "no such person"},
        hashed(address(6)): lambda _: None,
        hashed(address(7)): lambda _: "[",
    }
    found = audience(range(12)).sync(meta, people(range(12)), tmp_path / "s")
    assert (found.added, found.rejected) == (8, 6)
    vendor.bad_rows, vendor.invalid = set(), {}
    found = audience(range(12)).sync(meta, people(range(12)), tmp_path / "s")
    assert (found.added, found.unchanged, found.rejected) == (4, 8, 0)
    assert vendor.members("Top") == found_by([0, 1, 2, 3, 4, 5, 8, 9, 10, 11])


def flipped(content):
    """Return bytes with one bit of a digest changed, as a bad disk does."""
    place = content.index(bytes.fromhex(hashed(address(3))))
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"null",
        b"{}",
        b'{"batch":0,"rejected":3}',
        b'{"batch":0,"rejected":"x"}',
        b'{"batch":0,"rejected":[-1]}',
        b'{"batch":0,"unknown":[5]}',
        b'{"batch":true}',
    ],
)
def test_a_journal_that_is_damaged(tmp_path, vendor, meta, line):
    vendor.fail(meta_error(190, status=401), on="users")
    with pytest.raises(oc.SyncError):
        audience(range(5)).sync(meta, people(range(5)), tmp_path / "s")
    (folder,) = (tmp_path / "s").iterdir()
    (folder / "journal").write_bytes(line + b"\n")
    with pytest.raises(oc.StorageError, match="journal is damaged"):
        audience(range(5)).sync(meta, people(range(5)), tmp_path / "s")


@pytest.mark.filterwarnings("ignore:the list that was synced before")
def test_people_are_forgotten_though_the_list_of_a_plan_is_gone(tmp_path, vendor, meta):
    audience(range(5)).sync(meta, people(range(5)), tmp_path / "s")
    vendor.fail(meta_error(190, status=401), on="users")
    with pytest.raises(oc.SyncError):
        audience(range(1, 6)).sync(meta, people(range(6)), tmp_path / "s")
    vendor.audiences.clear()
    assert oc.forget(["c3"], connectors=[meta], state=tmp_path / "s") == {"Top": 1}
    content = b"".join(one.read_bytes() for one in (tmp_path / "s").rglob("*") if one.is_file())
    assert bytes.fromhex(hashed(address(3))) not in content
    assert bytes.fromhex(hashed(address(2))) in content


def test_state_that_is_damaged_foreign_open_or_in_use(tmp_path, vendor, meta):
    def sync(**options):
        return audience(range(5)).sync(meta, people(range(5)), tmp_path / "s", **options)

    sync()
    (folder,) = (tmp_path / "s").iterdir()
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name, content in (
        ("sent.arrow", whole["sent.arrow"][:200]),
        ("sent.arrow", b""),
        ("sent.arrow", flipped(whole["sent.arrow"])),
        ("state.json", b"{}"),
        ("state.json", whole["state.json"].replace(b'"Top"', b'"Tip"')),
        ("state.json", whole["state.json"].replace(b'"version": 1', b'"version": 9')),
        ("plan.arrow", b"garbage"),
    ):
        (folder / name).write_bytes(content)
        for options in ({}, {"dry_run": True}):
            with pytest.raises(oc.StorageError):
                sync(**options)
        (folder / name).unlink()
        if name in whole:
            (folder / name).write_bytes(whole[name])
    folder.chmod(0o722)
    with pytest.raises(oc.StorageError, match="chmod 700"):
        sync()
    folder.chmod(0o700)
    os.environ["TEST_TOKEN"] = TOKEN
    nested = []
    real = vendor.send

    def send(*request):
        if request[0] == "POST" and not nested:
            with pytest.raises(oc.StorageError, match="in use by another sync"):
                nested.append(audience(range(6)).sync(meta, people(range(6)), tmp_path / "s"))
            nested.append("refused")
        return real(*request)

    vendor.send = send
    audience(range(6)).sync(meta, people(range(6)), tmp_path / "s")
    assert nested == ["refused"]
    (tmp_path / "file").write_text("")
    with pytest.raises(oc.StorageError, match="is no folder"):
        audience(range(5)).sync(meta, people(range(5)), tmp_path / "file")


def test_suppressed_and_unreachable_customers_are_counted(tmp_path, vendor, meta):
    denied = {"customers": ["c3"], "emails": [f" {address(4).upper()} "],
              "phones": [f"+{phone(5)}"], "hashes": [hashed(address(6))]}  # fmt: skip
    contacts = people(range(8), consent=[True, False, None, *[True] * 5],
                      suppress=denied)  # fmt: skip
    report = audience(range(10)).sync(meta, contacts, tmp_path / "s")
    assert (report.added, report.suppressed) == (2, 4)
    assert report.unreachable["no_consent"] == 2
    assert report.unreachable["no_contact"] == 2
    assert vendor.members("Top") == found_by([0, 7])


def test_who_is_forgotten_is_nowhere(tmp_path, vendor, meta):
    state = tmp_path / "s"
    for name in ("Top", "Lost"):
        audience(range(6), name).sync(meta, people(range(6)), state)
    with pytest.raises(oc.ConfigError, match=r"meta:123.* connectors="):
        oc.forget(["c1"], connectors=[], state=state)
    assert oc.forget(["c1", "c2", "nobody"], connectors=[meta], state=state) == {
        "Lost": 2,
        "Top": 2,
    }
    for name in ("Top", "Lost"):
        assert vendor.members(name) == found_by([0, 3, 4, 5])
    kept = b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    for text in (address(1), address(2), phone(1)):
        assert not [one for one in encodings(text) if one in kept]
    assert bytes.fromhex(hashed(address(0))) in kept
    assert oc.forget(["c1"], connectors=[meta], state=state) == {}
    with pytest.raises(oc.ConfigError, match="integers, which no list of the state has"):
        oc.forget([1], connectors=[meta], state=state)


def encodings(text):
    import base64

    digest = bytes.fromhex(hashed(text))
    return [
        text.encode(), text.upper().encode(), digest, digest[:8], digest.hex().encode(),
        base64.b64encode(digest), base64.b64encode(text.encode()),
    ]  # fmt: skip


def test_what_is_no_connector_account_token_or_address(monkeypatch):
    for wrong in ({"account": "act_x"}, {"api_version": "26"}, {"token": ""}, {"token": 5},
                  {"base_url": "http://graph.example.com"}, {"base_url": "https://example.com\n.x"},
                  {"base_url": "https://me:pw@example.com"},
                  {"base_url": "ftp://127.0.0.1"}, {"base_url": None}):  # fmt: skip
        with pytest.raises(oc.ConfigError) as found:
            Meta(**{"account": "1", "token": TOKEN, **wrong})
        assert TOKEN not in str(found.value)
    for fine in ("https://graph.example.com", "http://[::1]:8000", "http://127.0.0.2"):
        assert Meta("1", TOKEN, base_url=fine).base_url == fine
    assert TOKEN not in repr(Meta("1", TOKEN)) + repr(Meta("1", TOKEN)._token)
    with pytest.raises(oc.ConfigError):
        pickle.dumps(Meta("1", TOKEN)._token)
    monkeypatch.delenv("NOT_SET", raising=False)
    with pytest.raises(oc.ConfigError, match="'NOT_SET' holds no secret"):
        audience(range(3)).sync(Meta("1", oc.env("NOT_SET")), people(range(3)), "s")
    with pytest.raises(oc.ConfigError, match="no connector"):
        audience(range(3)).sync("meta", people(range(3)), "s")
    with pytest.raises(oc.ConfigError, match="no table of contacts"):
        audience(range(3)).sync(Meta("1", TOKEN), None, "s")
