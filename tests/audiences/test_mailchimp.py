"""Syncs with Mailchimp: a segment of those whom the list knows, and nobody's status changed."""

import pytest
from support.mailing import address, audience, people
from support.vendors import KEY, FakeMailchimp, Lost, said, served

import ordercycle as oc
from ordercycle.connect import Mailchimp

pytestmark = pytest.mark.filterwarnings("ignore:Mailchimp has this list")


def addresses(numbers, versions=None):
    return {address(one, (versions or {}).get(one, 0)) for one in numbers}


def connected(vendor, rows=4, **options):
    made = Mailchimp(vendor.listed, KEY, base_url="http://localhost:9", **options)
    made._connection.transport = vendor
    made._connection.batch_rows = rows
    return made


def test_a_segment_over_http(tmp_path):
    vendor = FakeMailchimp(members=addresses(range(1200)))
    with served(vendor) as url:
        mailchimp = Mailchimp(list=vendor.listed, key=lambda: KEY, base_url=url)
        report = audience(range(1100)).sync(mailchimp, people(range(1200)), tmp_path / "s")
        assert (report.added, report.batches) == (1100, 3)
        assert vendor.members("Top") == addresses(range(1100))
        report = audience(range(600, 1150)).sync(
            mailchimp, people(range(1200)), tmp_path / "s", largest_removal=0.6
        )
        assert (report.added, report.removed, report.unchanged) == (50, 600, 500)
        assert vendor.members("Top") == addresses(range(600, 1150))
    assert vendor.statuses == dict.fromkeys(addresses(range(1200)), "subscribed")


def test_who_is_unknown_is_counted_and_tried_again(tmp_path):
    vendor = FakeMailchimp(members=addresses(range(6)))
    mailchimp = connected(vendor)
    report = audience(range(9)).sync(mailchimp, people(range(9)), tmp_path / "s")
    assert (report.added, report.unknown) == (6, 3)
    vendor.statuses[address(7)] = "subscribed"
    report = audience(range(9)).sync(mailchimp, people(range(9)), tmp_path / "s")
    assert (report.added, report.unknown, report.unchanged) == (1, 2, 6)
    assert vendor.members("Top") == addresses([*range(6), 7])


def test_a_changed_address_leaves_and_enters(tmp_path):
    vendor = FakeMailchimp(members=addresses(range(4)) | addresses([2], {2: 1}))
    mailchimp = connected(vendor)
    audience(range(4)).sync(mailchimp, people(range(4)), tmp_path / "s")
    report = audience(range(4)).sync(mailchimp, people(range(4), {2: 1}), tmp_path / "s")
    assert report.changed == 1
    assert vendor.members("Top") == addresses(range(4), {2: 1})


@pytest.mark.parametrize("status", ["subscribed", "pending"])
def test_new_members_need_consent_and_known_ones_keep_their_status(tmp_path, status):
    vendor = FakeMailchimp(members=addresses(range(2)))
    vendor.statuses[address(1)] = "unsubscribed"
    vendor.forgotten = {address(4)}
    mailchimp = connected(vendor, new_members=status)
    with pytest.raises(oc.ConfigError, match="ContactColumns"):
        audience(range(6)).sync(mailchimp, people(range(6)), tmp_path / "s")
    consent = [True, True, True, False, True, True]
    contacts = people(range(6), consent=consent, first_name=["é" * 200] * 6)
    report = audience(range(6)).sync(mailchimp, contacts, tmp_path / "s")
    assert (report.added, report.rejected, report.unreachable["no_consent"]) == (4, 1, 1)
    right = {0: "subscribed", 1: "unsubscribed", 2: status, 5: status}
    assert vendor.statuses == {address(one): found for one, found in right.items()}
    assert vendor.members("Top") == addresses(right)


def test_replacing_reads_who_is_there(tmp_path):
    vendor = FakeMailchimp(members=addresses(range(9)))
    vendor.segments[70] = {"id": 70, "name": "top", "members": {"old@example.com", *addresses([1])}}
    mailchimp = connected(vendor)
    contacts = people(range(9))
    dry = audience(range(6)).sync(mailchimp, contacts, tmp_path / "s", mode="replace", dry_run=True)
    report = audience(range(6)).sync(mailchimp, contacts, tmp_path / "s", mode="replace")
    assert (report.added, report.unchanged) == (dry.added, dry.unchanged) == (5, 1)
    assert vendor.segments[70]["members"] == addresses(range(6))


@pytest.mark.parametrize(
    "failure",
    [Lost, (403, {}, b""), (429, {}, b"{}"), (503, {}, b"<html>"), said({"status": 500}, 500)],
)
def test_answers_after_which_a_request_is_repeated(tmp_path, failure):
    vendor = FakeMailchimp(members=addresses(range(9)))
    vendor.fail(failure, failure)
    vendor.fail(failure, on="/segments/")
    audience(range(9)).sync(connected(vendor), people(range(9)), tmp_path / "s")
    assert len(vendor.segments) == 1
    assert vendor.members("Top") == addresses(range(9))


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (said({"title": "API Key Invalid", "detail": "ann@example.com"}, 401), "key is not valid"),
        (said({"title": "Forbidden"}, 403), "may not do this"),
        (said({"title": "Resource Not Found"}, 404), "no such list"),
        (said({"title": "Invalid Resource", "detail": "ann@example.com"}, 400), "is refused"),
        (said([]), "makes no sense"),
        (said({"errors": [{"email_addresses": "all"}], "total_added": 1}), "makes no sense"),
        ((200, {}, b"<html>"), "makes no sense"),
    ],
)
def test_answers_that_stop(tmp_path, failure, message):
    vendor = FakeMailchimp(members=addresses(range(3)))
    vendor.fail(failure, on="/segments/")
    with pytest.raises(oc.SyncError, match=message) as found:
        audience(range(3)).sync(connected(vendor), people(range(3)), tmp_path / "s")
    assert "ann@example.com" not in repr(found.value)


def test_who_is_forgotten_is_deleted(tmp_path):
    vendor = FakeMailchimp(members=addresses(range(5)))
    mailchimp = connected(vendor)
    audience(range(5)).sync(mailchimp, people(range(5)), tmp_path / "s")
    assert oc.forget(["c1", "c2"], connectors=[mailchimp], state=tmp_path / "s") == {"Top": 2}
    assert set(vendor.statuses) == addresses([0, 3, 4])
    kept = b"".join(path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file())
    assert address(1).encode() not in kept
    assert address(0).encode() in kept


def test_arguments():
    for wrong in ({"list": "a/b"}, {"new_members": "cleaned"}, {"key": None}, {"base_url": "x"}):
        with pytest.raises(oc.ConfigError):
            Mailchimp(**{"list": "a1", "key": KEY, **wrong})
    assert KEY not in repr(Mailchimp("a1", KEY))
    with pytest.raises(oc.ConfigError, match="data center"):
        audience(range(3)).sync(Mailchimp("a1", "nodatacenter"), people(range(3)), "s")
