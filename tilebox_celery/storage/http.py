"""Read files over HTTP: ranges of one version, and never an error page in place of data."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tilebox_celery.errors import AuthenticationError, NotFoundError, StorageError
from tilebox_celery.storage.remote import CHUNK_BYTES, Body, Changed, Interrupted, RemoteFile
from tilebox_celery.storage.retrying import retry_after

if TYPE_CHECKING:
    from requests import Response

_PAGES = ("text/html", "application/xhtml+xml", "application/xml", "text/xml", "application/json")
Get = Callable[[str, dict[str, str]], "Response"]


class HttpSource:
    """Files whose keys are URLs."""

    def __init__(self, get: Get) -> None:
        """Name what opens a URL and follows its redirects."""
        self._get = get

    @contextmanager
    def open(self, file: RemoteFile, start: int, end: int | None, version: str | None) -> Iterator[Body]:
        """Open a range of a file; see `Source`."""
        headers = {}
        if start or end != file.size:
            headers["Range"] = f"bytes={start}-{'' if end is None else end - 1}"
            if version is not None:
                headers["If-Range"] = version
        host = urlsplit(file.key).hostname
        answer = self._get(file.key, headers)
        try:
            _check_status(answer, file, f"{host}")
            kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind in _PAGES and _family(kind) != _family(file.media_type or ""):
                name = _name(file)
                raise StorageError(f"{host} sent a page ({kind}) instead of the file {name}; nothing was stored.")
            begin, size = _place(answer)
            etag = answer.headers.get("ETag")
            strong = etag if etag and not etag.startswith("W/") else None  # a weak one does not vouch for each byte
            yield Body(begin, size, strong, _chunks(answer))
        finally:
            answer.close()


def _family(media_type: str) -> str:
    """Return html, xml or json for the kinds of text in which servers also write errors."""
    plain = media_type.partition(";")[0].strip().lower()
    return "html" if "html" in plain else next((each for each in ("xml", "json") if plain.endswith(each)), plain)


def _name(file: RemoteFile) -> str:
    """Return the name of a file without the query of its URL, which may hold a signature."""
    return urlsplit(file.key).path.rpartition("/")[2]


def _check_status(answer: "Response", file: RemoteFile, host: str) -> None:
    status, name = answer.status_code, _name(file)
    if status in (200, 206):
        return
    if status == 202:
        raise Interrupted(f"{host} is still preparing {name}", retry_after(answer.headers))
    if status in (408, 429) or status >= 500:
        raise Interrupted(f"{host} answers {status}", retry_after(answer.headers))
    if status in (412, 416):
        raise Changed("it was replaced at the provider meanwhile")
    if status in (401, 403):
        raise AuthenticationError(f"{host} refuses access to {name} ({status}): it wants a login or a signed URL.")
    if status in (404, 410):
        raise NotFoundError(f"{host} has no {name}; the product may have expired or been taken offline.")
    raise StorageError(f"{host} answers {status} to the request for {name}.")


def _place(answer: "Response") -> tuple[int, int | None]:
    """Return the offset of the first byte, and the size of the whole file."""
    if answer.status_code == 206:
        unit, _, rest = answer.headers.get("Content-Range", "").partition(" ")
        span, _, total = rest.partition("/")
        begin = span.partition("-")[0]
        if unit != "bytes" or not begin.isdecimal():
            raise Changed("the answer does not say which bytes it has")
        return int(begin), int(total) if total.isdecimal() else None
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _chunks(answer: "Response") -> Iterator[bytes]:
    import requests

    try:
        yield from answer.iter_content(CHUNK_BYTES)
    except requests.RequestException as error:
        # Not chained: the URL of the answer may be signed, and the cause could print it.
        raise Interrupted(f"the connection to the provider failed ({type(error).__name__})") from None
