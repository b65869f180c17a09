"""One JSON document from a web server that may be busy for a while."""

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from tilebox_celery.datasets.json_text import dumps, loads
from tilebox_celery.errors import ArgumentError, CatalogUnavailable

ATTEMPTS = 5
_BUSY = frozenset({429, 500, 502, 503, 504})
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 120
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Request:
    """What to ask a server for: a POST if it has a body."""

    url: str
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, str, str]:
        """Two requests with the same one get the same answer."""
        return self.url, dumps(self.body), dumps(dict(self.headers))


def fetch(request: Request) -> Any:
    """Return the document; a server that is busy or out of reach is asked again, after the time that it names.

    Raises:
        ArgumentError: The URL is none of http, the server refuses it, or answers with something other than JSON.
        CatalogUnavailable: The server cannot be reached, or still fails after some attempts.
    """
    if urlsplit(request.url).scheme not in {"http", "https"}:  # urllib would open file:// as well
        raise ArgumentError(f"{request.url} cannot be read: only http and https URLs are.")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _parse(request.url, *_ask(request))
        except urllib.error.HTTPError as error:
            with error:
                reason = f"the server answers {error.code} {error.reason}"
                if error.code not in _BUSY:
                    raise ArgumentError(f"{request.url} cannot be read: {reason}{_excerpt(error)}.") from error
                pause = _retry_after(error.headers.get("Retry-After"))
        except (OSError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", None) or error
            reason, pause = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__, None
        if pause is None:
            pause = _FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)
        if pause > _LONGEST_PAUSE_SECONDS:
            raise CatalogUnavailable(
                f"{request.url}: {reason}, and asks to come back in {pause:.0f} seconds; do so then."
            )
        if attempt < ATTEMPTS:
            time.sleep(pause)
    raise CatalogUnavailable(f"{request.url} cannot be read after {ATTEMPTS} attempts: {reason}. Try again later.")


def _ask(request: Request) -> tuple[str, bytes]:
    headers = {"Accept": "application/geo+json, application/json", "User-Agent": "tilebox-celery", **request.headers}
    data = None if request.body is None else dumps(request.body).encode()
    if data is not None:
        headers["Content-Type"] = "application/json"
    try:
        wanted = urllib.request.Request(request.url, data, headers)  # noqa: S310 - `fetch` has looked at the scheme
        with urllib.request.urlopen(wanted, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            return response.headers.get_content_type(), response.read()
    except (http.client.InvalidURL, UnicodeError, ValueError) as error:
        raise ArgumentError(f"{request.url} is no URL that can be asked for: {error}.") from error


def _parse(url: str, content_type: str, body: bytes) -> Any:
    try:
        return loads(body)
    except ValueError:
        start = " ".join(body[:60].decode(errors="replace").split())
        raise ArgumentError(
            f"{url} cannot be read: the server answers with {content_type} that is no JSON ({start!r})."
        ) from None


def _excerpt(error: urllib.error.HTTPError) -> str:
    """Return what an API says of its refusal, if it says it in JSON."""
    try:
        document = loads(error.read(65_536))
        said = next(document[key] for key in ("description", "detail", "message", "title") if document.get(key))
    except (ValueError, AttributeError, StopIteration, OSError, http.client.HTTPException):
        return ""
    return f" ({str(said)[:200]!r})"


def _retry_after(text: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which is a number or a date."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
