"""Real HTTP servers that log what they are asked, and misbehave on request."""

import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = ("connection", "transfer-encoding", "content-length", "server", "date")


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer that carries data."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    """Sent in place of the data, with the headers of the data where no status is given."""
    cut: int | None = None
    """Bytes after which the connection breaks."""


@dataclass(frozen=True)
class Request:
    """One request as a server saw it."""

    host: str
    method: str
    path: str
    headers: dict[str, str]
    time: float

    @property
    def range_start(self) -> int:
        """The first byte that was asked for."""
        match = re.match(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(match[1]) if match else 0


class Log:
    """All requests of one imitation, the faults that are still due, and its pace."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self.bytes_per_second: float | None = None
        self.before_data: list[Callable[[], object]] = []
        """What happens at the provider right before the next answers with data."""
        self.refused: str | None = None
        """A part of the path of requests that are refused."""
        self.refusal = Fault(status=403)
        self.in_flight = self.most_in_flight = 0
        self._lock = threading.Lock()

    def data_requests(self) -> list[Request]:
        """The requests for bytes of files, not for listings or logins."""
        return [each for each in self.requests if is_data(each)]

    def next_fault(self) -> Fault | None:
        """The fault of the next answer with data."""
        return self.faults.popleft() if self.faults else self.always

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count requests that are answered at the same time."""
        with self._lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            yield
        finally:
            with self._lock:
                self.in_flight -= 1


def is_data(request: Request) -> bool:
    """Tell whether a request is answered with the bytes of a file."""
    if request.host == "127.0.0.3":
        return True
    return request.host == "s3" and request.method == "GET" and "list-type" not in request.path


class Handler(BaseHTTPRequestHandler):
    """Log, and answer with a fault where one is due."""

    protocol_version = "HTTP/1.1"
    log: Log
    name: str

    def do_GET(self) -> None:
        request = Request(
            self.name, self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, time.monotonic()
        )
        self.log.requests.append(request)
        try:
            with self.log.counted():
                if is_data(request) and self.log.before_data:
                    self.log.before_data.pop(0)()
                self.answer(request)
        except (BrokenPipeError, ConnectionResetError):  # the client was killed
            self.close_connection = True

    do_HEAD = do_GET

    def answer(self, request: Request) -> None:
        """Answer; defined by the imitation."""
        raise NotImplementedError

    def send(self, request: Request, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send an answer, or what a fault makes of it."""
        fault = self.log.next_fault() if is_data(request) else None
        if self.log.refused is not None and self.log.refused in request.path:
            fault = self.log.refusal
        length = len(body)
        if fault is not None:
            if fault.status is not None:
                status, headers, body = fault.status, {}, b""
            headers = {**headers, **fault.headers}
            body = fault.body if fault.body is not None else body
            length = len(body)
            if fault.cut is not None:
                body, self.close_connection = body[: fault.cut], True
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", headers.get("content-length", str(length)))
        self.end_headers()
        if self.command != "HEAD":
            self._write(body, request)

    def _write(self, body: bytes, request: Request) -> None:
        pace = self.log.bytes_per_second if is_data(request) else None
        step = 64 << 10 if pace else max(1, len(body))
        for offset in range(0, len(body), step):
            self.wfile.write(body[offset : offset + step])
            if pace:
                time.sleep(step / pace)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def serving(handler: type[Handler], log: Log, name: str, address: str = "127.0.0.1") -> Iterator[str]:
    """Run a server in a thread and yield its URL."""
    bound = type(handler.__name__, (handler,), {"log": log, "name": name})
    server = ThreadingHTTPServer((address, 0), bound)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class S3Proxy(Handler):
    """Hands everything on to a real S3 server."""

    upstream: str

    def answer(self, request: Request) -> None:
        """Ask the server behind, and pass on what it says."""
        connection = HTTPConnection(urlsplit(self.upstream).netloc, timeout=30)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        try:
            connection.request(self.command, self.path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        kept = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
        if self.command == "HEAD":
            kept["content-length"] = answer.headers.get("Content-Length", "0")
            self.send_response(answer.status)
            for name, value in kept.items():
                self.send_header(name, value)
            self.end_headers()
        else:
            self.send(request, answer.status, kept, body)
