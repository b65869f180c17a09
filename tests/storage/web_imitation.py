"""A web server with files, ranges and versions, which leads astray on request."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tests.storage.faulty_server import Handler, Log, Request, serving


@dataclass
class Web:
    """One server as a test sees it."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    """Content types other than that of bytes."""
    redirects: dict[str, str] = field(default_factory=dict)
    has_versions: bool = True
    heeds_if_range: bool = True
    log: Log = field(default_factory=Log)


@contextmanager
def web_server(address: str = "127.0.0.1") -> Iterator[Web]:
    """Run a server."""
    web = Web()
    handler = type("WebHandler", (_WebHandler,), {"web": web})
    with serving(handler, web.log, "s3", address) as url:  # under this name faults are for its data
        web.url = url
        yield web


class _WebHandler(Handler):
    web: Web

    def answer(self, request: Request) -> None:
        path = request.path.partition("?")[0]
        if path in self.web.redirects:
            self.send(replace(request, host=""), 302, {"Location": self.web.redirects[path]}, b"")
            return
        if path not in self.web.files:
            self.send(request, 404, {"Content-Type": "text/html"}, b"<html>no</html>")
            return
        body = self.web.files[path]
        headers = {"Content-Type": self.web.kinds.get(path, "application/octet-stream")}
        if self.web.has_versions:
            headers["ETag"] = f'"{hashlib.md5(body).hexdigest()}"'
        is_fresh = not self.web.heeds_if_range or request.headers.get("if-range", headers.get("ETag")) == headers.get(
            "ETag"
        )
        if "range" in request.headers and is_fresh:
            start = request.range_start
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.send(request, 206, headers, body[start:])
        else:
            self.send(request, 200, headers, body)
