"""Three hosts that behave as ASF, Earthdata Login and its signed store do, on 127.0.0.1, .2 and .3."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, quote, urlsplit

from tests.storage.faulty_server import Handler, Log, Request, serving

USER, PASSWORD = "me", "s3cr3t-passw0rd"
SIGNATURE, CODE = "s1gnature", "c0de"
PAGE = b"<!DOCTYPE html><html><title>Earthdata Login</title></html>"


@dataclass
class Earthdata:
    """The state of the three hosts."""

    log: Log = field(default_factory=Log)
    files: dict[str, bytes] = field(default_factory=dict)
    data_url: str = ""
    login_url: str = ""
    store_url: str = ""
    asks_for_password: bool = True
    """Otherwise the login host shows its page instead of looking at the header."""
    has_eula: bool = True
    has_ranges: bool = True


class _Host(Handler):
    earthdata: Earthdata

    def redirect(self, request: Request, target: str, **headers: str) -> None:
        self.send(request, 302, {"Location": target, **{k.replace("_", "-"): v for k, v in headers.items()}}, b"")


class _DataHost(_Host):
    def answer(self, request: Request) -> None:
        parts = urlsplit(request.path)
        if parts.path == "/login":
            query = parse_qs(parts.query)
            assert query["code"] == [CODE]
            self.redirect(request, query["state"][0], Set_Cookie="asf-urs=token; Path=/")
        elif "asf-urs=token" not in request.headers.get("cookie", ""):
            state = quote(parts.path, safe="")
            self.redirect(request, f"{self.earthdata.login_url}/oauth/authorize?client_id=asf&state={state}")
        elif not self.earthdata.has_eula:
            self.send(request, 403, {"Content-Type": "text/html"}, PAGE)
        else:
            self.redirect(request, f"{self.earthdata.store_url}{parts.path}?X-Amz-Signature={SIGNATURE}")


class _LoginHost(_Host):
    def answer(self, request: Request) -> None:
        right = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        given = request.headers.get("authorization")
        if given is None or not self.earthdata.asks_for_password:
            self.send(request, 200, {"Content-Type": "text/html"}, PAGE)
        elif given != right:
            self.send(request, 401, {"Content-Type": "text/html", "WWW-Authenticate": "Basic"}, PAGE)
        else:
            state = quote(parse_qs(urlsplit(request.path).query)["state"][0], safe="")
            self.redirect(request, f"{self.earthdata.data_url}/login?code={CODE}&state={state}")


class _StoreHost(_Host):
    def answer(self, request: Request) -> None:
        parts = urlsplit(request.path)
        if "authorization" in request.headers:
            self.send(
                request, 400, {"Content-Type": "application/xml"}, b"<Error>Only one auth mechanism allowed</Error>"
            )
        elif parse_qs(parts.query).get("X-Amz-Signature") != [SIGNATURE]:
            self.send(request, 403, {"Content-Type": "application/xml"}, b"<Error>AccessDenied</Error>")
        elif parts.path not in self.earthdata.files:
            self.send(request, 404, {"Content-Type": "application/xml"}, b"<Error>NoSuchKey</Error>")
        else:
            self._send_file(request, self.earthdata.files[parts.path])

    def _send_file(self, request: Request, body: bytes) -> None:
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        headers = {"Content-Type": "application/zip", "ETag": etag}
        asked = "range" in request.headers and request.headers.get("if-range", etag) == etag
        if not asked or not self.earthdata.has_ranges:
            self.send(request, 200, headers, body)
            return
        start = request.range_start
        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        self.send(request, 206, headers, body[start:])


@contextmanager
def earthdata_hosts() -> Iterator[Earthdata]:
    """Run the three hosts."""
    state = Earthdata()

    def bound(host: type[_Host]) -> type[_Host]:
        return type(host.__name__, (host,), {"earthdata": state})

    with (
        serving(bound(_DataHost), state.log, "127.0.0.1", "127.0.0.1") as state.data_url,
        serving(bound(_LoginHost), state.log, "127.0.0.2", "127.0.0.2") as state.login_url,
        serving(bound(_StoreHost), state.log, "127.0.0.3", "127.0.0.3") as state.store_url,
    ):
        yield state
