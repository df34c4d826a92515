"""Servers on the loopback interface that stores are tried with: S3, HTTP, and what lies between."""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

REFUSED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
REFUSAL = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(REFUSED), REFUSED)
)


def hang_up(connection):
    """End a connection for both sides, also where a thread waits for its data."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


class Wire:
    """A TCP connection to a server, that can be refused, cut or slow.

    refuses: answers every request itself, as a server does to a wrong key; cut_after: bytes of
    answers after which it is cut, and stays so; delay: seconds that each request takes longer.
    """

    def __init__(self, server):
        self.server = server
        self.refuses = False
        self.cut_after = None
        self.delay = 0.0
        self.requests = 0
        self._answered = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._listener.getsockname())
        self._open = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self):
        """Stop, and close what is open."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for one in self._open:
            hang_up(one)

    def cut(self, after):
        """Cut the wire after so many bytes of answers from now on."""
        self._answered, self.cut_after = 0, after

    @property
    def is_cut(self):
        return self.cut_after is not None and self._answered >= self.cut_after

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        if self.is_cut:
            hang_up(client)
            return
        upstream = socket.create_connection(self.server)
        self._open.append(upstream)
        threading.Thread(target=self._requests, args=(client, upstream), daemon=True).start()
        try:
            while data := upstream.recv(2**16):
                if self.cut_after is not None:
                    data = data[: max(0, self.cut_after - self._answered)]
                self._answered += len(data)
                client.sendall(data)
                if self.is_cut:
                    break
        except OSError:
            pass  # the other side has hung up, which is what wires are for
        finally:
            for one in (client, upstream):
                hang_up(one)

    def _requests(self, client, upstream):
        try:
            while data := client.recv(2**16):
                self.requests += 1
                if self.refuses:
                    client.sendall(REFUSAL)
                    client.shutdown(socket.SHUT_WR)
                    break
                threading.Event().wait(self.delay)
                upstream.sendall(data)
        except OSError:
            pass
        finally:
            hang_up(upstream)


class Pages(ThreadingHTTPServer):
    """Serves the files of a dictionary, with ranges and tags as requested."""

    daemon_threads = True

    def __init__(self, files, *, ranges=True):
        super().__init__(("127.0.0.1", 0), _Page)
        self.files = files
        self.ranges = ranges
        self.address = "{}:{}".format(*self.server_address)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, *, with_body):
        content = self.server.files.get(unquote(urlsplit(self.path).path))
        if content is None:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        wanted = self.headers.get("Range")
        whole = len(content)
        if wanted and self.server.ranges:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last or whole - 1) + 1, whole)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{whole}")
            content = content[start:stop]
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes" if self.server.ranges else "none")
        self.send_header("ETag", f'"{hash(bytes(self.server.files[urlsplit(self.path).path]))}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


#: What keeps clients of S3 from asking elsewhere, and from asking for long.
ENVIRONMENT = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
    "NO_PROXY": "127.0.0.1",
}


def s3_file_system(address, **options):
    """Return pyarrow's client of a server, that does not wait for long."""
    from pyarrow import fs

    options = {"access_key": "testing", "secret_key": "testing"} | options
    return fs.S3FileSystem(
        endpoint_override=address,
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
        connect_timeout=1,
        request_timeout=2,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
        **options,
    )
