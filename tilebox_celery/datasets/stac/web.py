"""STAC items from a web server: the pages of an API search, a file, or a static catalog."""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urljoin

from tilebox_celery.datasets.stac.documents import is_catalog, items_of, links_of, walk_catalog
from tilebox_celery.datasets.stac.http_json import Request, fetch
from tilebox_celery.errors import ArgumentError


def read_url(url: str) -> Iterable[Any]:
    """Return the items of all pages of a search, of one file, or of a static catalog.

    Raises:
        ArgumentError: The server answers with something else, or the pages go round in a circle.
        CatalogUnavailable: The server cannot be reached, or keeps failing.
    """
    request = Request(url)
    document = fetch(request)
    if is_catalog(document):
        return walk_catalog(document, url, lambda href: fetch(Request(href)), urljoin)
    return _pages(request, document)


def _pages(request: Request, document: Any) -> Iterator[Any]:
    seen = {request.identity}
    while True:
        yield from items_of(document, request.url)
        links = links_of(document, "next")
        if not links:
            return
        request = _following(request, links[0])
        if request.identity in seen:
            raise ArgumentError(
                f"The search cannot be read: its page {request.url} names itself or an earlier page as next."
            )
        seen.add(request.identity)
        document = fetch(request)


def _following(request: Request, link: dict[str, Any]) -> Request:
    """Return the request that a link asks for; STAC API lets a link carry a method, a body and headers."""
    body = link.get("body")
    if link.get("merge") and request.body is not None:
        body = {**request.body, **(body or {})}
    is_post = str(link.get("method", "GET")).upper() == "POST"
    headers = {key: value for key, value in (link.get("headers") or {}).items() if isinstance(value, str)}
    return Request(urljoin(request.url, link["href"]), (body or {}) if is_post else None, headers)
