"""A real OTLP collector, and scripts in processes of their own, since logging is configured once per process."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {"/v1/logs": ExportLogsServiceRequest, "/v1/traces": ExportTraceServiceRequest}


@dataclass
class Received:
    """One log record or span, flattened for assertions."""

    path: str
    headers: dict[str, str]
    port: int
    resource: dict[str, Any]
    scope: str
    item: Any

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes as a dictionary."""
        return as_dict(self.item.attributes)

    @property
    def body(self) -> str:
        """Message of a log record."""
        return self.item.body.string_value

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Events of a span."""
        return [(event.name, as_dict(event.attributes)) for event in self.item.events]


@dataclass
class Collector:
    """What arrived, and how to answer."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    location: str = ""
    received: list[Received] = field(default_factory=list)
    requests: int = 0
    changed: Condition = field(default_factory=Condition)

    def take(self, path: str, headers: dict[str, str], port: int, body: bytes) -> int:
        """Decode a request and return the status to answer."""
        with self.changed:
            self.requests += 1
            status = self.answers.pop(0) if self.answers else 200
            if status == 200:
                message = REQUESTS[path].FromString(body)
                for resource in message.resource_logs if path == "/v1/logs" else message.resource_spans:
                    about = as_dict(resource.resource.attributes)
                    for scope in resource.scope_logs if path == "/v1/logs" else resource.scope_spans:
                        for item in scope.log_records if path == "/v1/logs" else scope.spans:
                            self.received.append(Received(path, headers, port, about, scope.scope.name, item))
            self.changed.notify_all()
            return status

    def wait_for(self, count: int) -> list[Received]:
        """Wait until so many items have arrived."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.received) >= count, 20), self.received
            return list(self.received)

    def wait_for_requests(self, count: int) -> None:
        """Wait until so many requests have arrived, whatever they were answered."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.requests >= count, 20)

    def named(self, name: str) -> Received:
        """Return the one span of a name."""
        spans = [received for received in self.received if received.path == "/v1/traces"]
        (span,) = [span for span in spans if span.item.name == name]
        return span


@pytest.fixture
def start_collector() -> Iterator[Callable[[], Collector]]:
    """Start collectors on free ports."""
    servers = []

    def start() -> Collector:
        collector = Collector()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = collector.take(self.path, dict(self.headers.items()), self.client_address[1], body)
                self.send_response(status)
                if collector.location:
                    self.send_header("Location", collector.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        servers.append((server, thread))
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        return collector

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def collector(start_collector: Callable[[], Collector]) -> Collector:
    """Start one collector."""
    return start_collector()


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(collector: Collector, tmp_path: Any) -> Run:
    """Run a script in a process of its own, with warnings as errors and the collector in its environment."""

    def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / "script.py"
        file.write_text(textwrap.dedent(script), encoding="utf-8", errors="surrogatepass")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AXIOM_"))}
        done = subprocess.run(
            [sys.executable, "-W", "error", str(file)],
            env={
                **inherited,
                "OTEL_LOGS_ENDPOINT": collector.url,
                "OTEL_TRACES_ENDPOINT": collector.url,
                "PYTHONIOENCODING": "utf-8",
                **environment,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


def as_dict(attributes: Any) -> dict[str, Any]:
    """Return protobuf attributes as a dictionary."""
    return {item.key: getattr(item.value, item.value.WhichOneof("value") or "string_value") for item in attributes}
