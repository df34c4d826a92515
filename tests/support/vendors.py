"""Vendors that lists are synced with, as they answer: their protocols, limits and failures."""

import base64
import hashlib
import hmac
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from ordercycle._sync.transport import Answer, LostAnswerError

TOKEN, SECRET, KEY = "EAAB-token-3141", "app-secret-2718", "key1618-us6"
NOTHING = hashlib.sha256(b"").hexdigest()
HEX = re.compile("[0-9a-f]{64}")
META_KEYS = {
    "EMAIL",
    "PHONE",
    "FN",
    "LN",
    "ZIP",
    "CT",
    "ST",
    "COUNTRY",
    "DOBY",
    "DOBM",
    "DOBD",
    "GEN",
}


class Lost:
    """An answer that never arrives, though the request was dealt with."""


class Vendor:
    """Counts requests, and fails where it is told to."""

    def __init__(self):
        self.requests = []
        self.failures = []  # answers in the place of the next ones, or functions of the true one
        self.lock = threading.Lock()

    def fail(self, *answers, on=""):
        """Give these answers to the next requests whose path holds a text."""
        self.failures += [(on, answer) for answer in answers]

    def handle(self, method, url, headers, body):
        """Return status, headers and body, or Lost."""
        with self.lock:
            split = urlsplit(url)
            assert TOKEN not in url
            assert SECRET not in url
            assert KEY not in url
            self.requests.append((method, split.path))
            for place, (on, answer) in enumerate(self.failures):
                if on in split.path:
                    del self.failures[place]
                    if answer is Lost:
                        self.answer(method, split, headers, body)
                        return Lost
                    return answer
            return self.answer(method, split, headers, body)

    def writes(self):
        return [path for method, path in self.requests if method != "GET"]

    def send(self, method, url, headers, body):
        """Answer within the process: a transport."""
        found = self.handle(method, url, headers, body)
        if found is Lost:
            raise LostAnswerError
        status, its_headers, content = found
        return Answer(status, its_headers, content)


def said(data, status=200, **headers):
    return status, headers, json.dumps(data).encode()


def meta_error(code, subcode=None, status=400, *, transient=False, headers=None):
    error = {"message": "Invalid parameter ann@example.com", "code": code, "fbtrace_id": "Abc123",
             "is_transient": transient}  # fmt: skip
    if subcode:
        error["error_subcode"] = subcode
    return status, headers or {}, json.dumps({"error": error}).encode()


class FakeMeta(Vendor):
    """Custom audiences of one ad account; members are the hashes that would find them."""

    def __init__(self, account="123", page=2):
        super().__init__()
        self.account, self.page = account, page
        self.audiences = {}
        self.sessions = {}  # rows by session and batch, of replacements
        self.removed = []  # rows of acknowledged removals
        self.bad_rows = set()  # identifiers that have the whole batch refused
        self.invalid = {}  # identifiers of rows that are not taken: how the answer says so
        self.smallest = 0
        self.secret = None

    def add_audience(self, name, *, value_based=False):
        number = str(1000 + len(self.audiences))
        self.audiences[number] = {"id": number, "name": name, "is_value_based": value_based,
                                  "members": {}, "form": {}}  # fmt: skip
        return number

    def named(self, name):
        found = [one for one in self.audiences.values() if one["name"] == name]
        assert len(found) == 1, found
        return found[0]

    def members(self, name):
        return set(self.named(name)["members"])

    def answer(self, method, split, headers, body):
        _, version, *path = split.path.split("/")
        assert re.fullmatch(r"v\d+\.\d", version)
        form = {name: value[0] for name, value in parse_qs((body or b"").decode()).items()}
        query = {name: value[0] for name, value in parse_qs(split.query).items()}
        token = form.get("access_token") or headers.get("Authorization", "").removeprefix("Bearer ")
        if token != TOKEN:
            return meta_error(190, status=401)
        if self.secret is not None:
            right = hmac.new(self.secret.encode(), token.encode(), hashlib.sha256).hexdigest()
            if (form or query).get("appsecret_proof") != right:
                return meta_error(100, 1234)
        if path == [f"act_{self.account}", "customaudiences"]:
            return self._listed(query) if method == "GET" else self._created(form)
        if path == [f"act_{self.account}", "usersofanyaudience"]:
            assert form["method"] == "DELETE"
            payload = self._payload(form)
            for one in self.audiences.values():
                self._remove(one, payload)
            return said({"num_received": len(payload["data"]), "num_invalid_entries": 0})
        if len(path) == 2 and path[0] in self.audiences and path[1] in ("users", "usersreplace"):
            return self._users(self.audiences[path[0]], path[1], form)
        return meta_error(100, 33, status=404)

    def _listed(self, query):
        start = int(query.get("after", 0))
        listed = list(self.audiences.values())
        size = min(self.page, int(query["limit"]))
        fields = query["fields"].split(",")
        data = [{name: one[name] for name in fields} for one in listed[start : start + size]]
        paging = {"cursors": {"after": str(start + size)}}
        if start + size < len(listed):
            paging["next"] = "https://graph.example/next"
        return said({"data": data, "paging": paging})

    def _created(self, form):
        number = self.add_audience(form["name"], value_based=form.get("is_value_based") == "1")
        self.audiences[number]["form"] = form
        if form["subtype"] == "LOOKALIKE":
            spec = json.loads(form["lookalike_spec"])
            seed = self.audiences[form["origin_audience_id"]]
            assert seed["is_value_based"] == (spec.get("type") == "custom_ratio")
        else:
            assert form["customer_file_source"] == "USER_PROVIDED_ONLY"
        return said({"id": number})

    def _payload(self, form):
        payload = json.loads(form["payload"])
        assert payload["is_raw"] is True
        schema = payload["schema"]
        assert 0 < len(payload["data"]) <= 10_000
        for row in payload["data"]:
            assert len(row) == len(schema)
            for key, value in zip(schema, row, strict=True):
                if key == "LOOKALIKE_VALUE":
                    assert not isinstance(value, bool)
                    assert value >= 0
                else:
                    assert key in META_KEYS
                    assert value != NOTHING
                    assert value == "" or HEX.fullmatch(value)
            assert any(self._identifiers(schema, row))
        return payload

    def _identifiers(self, schema, row):
        return [
            value
            for key, value in zip(schema, row, strict=True)
            if key in ("EMAIL", "PHONE") and value
        ]

    def _taken_out(self, data):
        """Take invalid rows out; return how the answer speaks of each, None where it does not."""
        invalid = [(row, one) for row in data for one in row if one in self.invalid]
        for row, _ in invalid:
            data.remove(row)
        return [self.invalid[one](row) for row, one in invalid]

    def _users(self, audience, endpoint, form):
        payload = self._payload(form)
        session = json.loads(form["session"])
        assert session["session_id"] > 0
        assert session["batch_seq"] > 0
        schema, data = payload["schema"], payload["data"]
        received, samples = len(data), self._taken_out(data)
        removing = form.get("method") == "DELETE"
        if any(value in self.bad_rows for row in data for value in row):
            return meta_error(100)
        if not removing and ("LOOKALIKE_VALUE" in schema) != audience["is_value_based"]:
            return meta_error(100, 1870999)
        if removing:
            gone = {one for row in data for one in self._identifiers(schema, row)}
            if self.smallest and len(audience["members"].keys() - gone) < self.smallest:
                return meta_error(200, 1870047, status=403)
            self._remove(audience, payload)
            self.removed += [tuple(row) for row in data]
        elif endpoint == "users":
            self._add(audience, payload)
        else:
            batches = self.sessions.setdefault(session["session_id"], {})
            if session["batch_seq"] == 1 and not batches:
                audience["members"].clear()
            elif not batches:
                return meta_error(2650, 1870147)
            batches[session["batch_seq"]] = True
            self._add(audience, payload)
        answer = {"audience_id": audience["id"], "session_id": str(session["session_id"]),
                  "num_received": received, "num_invalid_entries": len(samples)}  # fmt: skip
        if samples:
            answer["invalid_entry_samples"] = [one for one in samples if one is not None]
        return said(answer)

    def _add(self, audience, payload):
        for row in payload["data"]:
            value = dict(zip(payload["schema"], row, strict=True)).get("LOOKALIKE_VALUE")
            for one in self._identifiers(payload["schema"], row):
                audience["members"][one] = value

    def _remove(self, audience, payload):
        for row in payload["data"]:
            for one in self._identifiers(payload["schema"], row):
                audience["members"].pop(one, None)


class FakeMailchimp(Vendor):
    """A list with members and static segments."""

    def __init__(self, listed="a1b2c3", members=()):
        super().__init__()
        self.listed = listed
        self.statuses = dict.fromkeys(members, "subscribed")
        self.forgotten = set()
        self.segments = {}

    def named(self, name):
        (found,) = (one for one in self.segments.values() if one["name"] == name)
        return found

    def members(self, name):
        return set(self.named(name)["members"])

    def answer(self, method, split, headers, body):
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        assert split.path.startswith(f"/3.0/lists/{self.listed}")
        if scheme != "Basic" or base64.b64decode(token).decode().partition(":")[2] != KEY:
            return said({"title": "API Key Invalid", "status": 401}, 401)
        path = split.path.removeprefix(f"/3.0/lists/{self.listed}").strip("/").split("/")
        query = {name: value[0] for name, value in parse_qs(split.query).items()}
        data = json.loads(body) if body else None
        if path == [""]:
            return self._subscribe(data)
        if path[0] == "members" and path[2:] == ["actions", "delete-permanent"]:
            return self._delete(path[1])
        if path == ["segments"]:
            return self._listed(query) if method == "GET" else self._created(data)
        return self._of_segment(path, query, data)

    def _of_segment(self, path, query, data):
        segment = self.segments.get(int(path[1]))
        if segment is None:
            return said({"title": "Resource Not Found", "status": 404}, 404)
        if path[2:] == ["members"]:
            start = int(query["offset"])
            page = sorted(segment["members"])[start : start + int(query["count"])]
            return said({"members": [{"email_address": one} for one in page]})
        return self._changed(segment, data)

    def _listed(self, query):
        start, count = int(query["offset"]), int(query["count"])
        assert count <= 1000
        page = list(self.segments.values())[start : start + count]
        return said({"segments": [{"id": one["id"], "name": one["name"]} for one in page]})

    def _created(self, data):
        assert data["static_segment"] == []
        number = 70 + len(self.segments)
        self.segments[number] = {"id": number, "name": data["name"], "members": set()}
        return said({"id": number, "name": data["name"]})

    def _changed(self, segment, data):
        added, removed = data["members_to_add"], data["members_to_remove"]
        if len(added) > 500 or len(removed) > 500:
            return said({"title": "Maximum allowed member items exceeded", "status": 400}, 400)
        unknown = [one for one in added if one not in self.statuses]
        segment["members"] |= set(added) - set(unknown)
        segment["members"] -= set(removed)
        errors = [{"email_addresses": unknown, "error": "not subscribed"}] if unknown else []
        return said({"members_added": [], "members_removed": [], "errors": errors,
                     "total_added": len(added) - len(unknown), "total_removed": len(removed),
                     "error_count": len(errors)})  # fmt: skip

    def _subscribe(self, data):
        assert data["update_existing"] is False
        assert len(data["members"]) <= 500
        errors = []
        for one in data["members"]:
            address = one["email_address"]
            assert address not in self.statuses, "a known member's status is never sent"
            if address in self.forgotten:
                errors.append({"email_address": address, "error": "Member In Compliance State",
                               "error_code": "ERROR_GENERIC"})  # fmt: skip
            else:
                assert all(
                    len(text.encode()) <= 255 for text in one.get("merge_fields", {}).values()
                )
                self.statuses[address] = one["status"]
        return said({"new_members": [], "updated_members": [], "errors": errors,
                     "error_count": len(errors)})  # fmt: skip

    def _delete(self, digest):
        for address in list(self.statuses):
            if hashlib.md5(address.encode(), usedforsecurity=False).hexdigest() == digest:
                del self.statuses[address]
                for segment in self.segments.values():
                    segment["members"].discard(address)
                return 204, {}, b""
        return said({"title": "Resource Not Found", "status": 404}, 404)


@contextmanager
def served(vendor):
    """Serve a vendor on this machine; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self):
            size = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(size) if size else None
            found = vendor.handle(self.command, self.path, dict(self.headers), body)
            if found is Lost:
                self.close_connection = True
                self.connection.close()
                return
            status, headers, content = found
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = do_PUT = _answer  # noqa: N815 - the base's names

        def finish(self):
            try:
                super().finish()
            except (OSError, ValueError):
                self.close_connection = True

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
