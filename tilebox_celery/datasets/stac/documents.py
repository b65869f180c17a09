"""What a JSON document of STAC holds: items, one item, or links to more documents."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from tilebox_celery.errors import ArgumentError

_DEGREES = re.compile(r"(.*\bCRS84h?|(.*\bEPSG:.*)?\b(4326|4979))", re.IGNORECASE)
Load = Callable[[str], Any]
"""Fetches the document at an absolute href."""
Join = Callable[[str, str], str]
"""Makes an href absolute: base, href."""


def items_of(document: Any, where: str) -> list[Any]:
    """Return the items of an ItemCollection, a list, or a single item.

    Args:
        document: Parsed JSON.
        where: Begins the sentence of an error.

    Raises:
        ArgumentError: It holds no items, or says that their coordinates are no degrees.
    """
    if isinstance(document, list):
        return document
    if isinstance(document, Mapping):
        if isinstance(document.get("features"), list):
            _check_degrees(document.get("crs"), where)
            return document["features"]  # type: ignore[no-any-return]
        if document.get("type") == "Feature":
            return [document]
    kind = document.get("type") if isinstance(document, Mapping) else type(document).__name__
    raise ArgumentError(
        f"{where} holds no STAC items but {kind or 'some other JSON object'!r}: pass an ItemCollection."
    )


def _check_degrees(crs: Any, where: str) -> None:
    """Refuse the member ``crs`` of an older GeoJSON that names other coordinates than longitude and latitude."""
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    named = [str(properties.get(key)) for key in ("name", "code")] if isinstance(properties, Mapping) else []
    if not any(_DEGREES.fullmatch(name) for name in named):
        raise ArgumentError(
            f"{where}: its coordinates are not in degrees of longitude and latitude but in {str(crs)[:100]}: let "
            "geopandas read the file, and ingest the GeoDataFrame, which is reprojected."
        )


def is_catalog(document: Any) -> bool:
    """Whether a document is a Catalog or Collection, which holds links to items rather than items."""
    return isinstance(document, Mapping) and document.get("type") in {"Catalog", "Collection"}


def links_of(document: Any, relation: str) -> list[dict[str, Any]]:
    """Return the links of one relation, those without an href left out."""
    links = document.get("links") if isinstance(document, Mapping) else None
    return [
        link
        for link in links or ()
        if isinstance(link, dict) and link.get("rel") == relation and isinstance(link.get("href"), str)
    ]


def walk_catalog(catalog: Any, base: str, load: Load, join: Join) -> Iterator[Any]:
    """Yield the items of a static catalog: those that it links to, then those of its children, each document once.

    Raises:
        ArgumentError: It is the landing page of an API, which is searched instead.
    """
    searches = links_of(catalog, "search")
    if searches:
        search = join(base, searches[0]["href"])
        raise ArgumentError(
            f"{base} is the landing page of a STAC API: pass a search, such as {search}?collections=..."
        )
    seen = {base}
    waiting = [(catalog, base)]
    while waiting:
        document, here = waiting.pop()
        yield from _linked(document, "item", here, seen, load, join)
        children = [join(here, link["href"]) for link in links_of(document, "child")]
        new = [child for child in dict.fromkeys(children) if child not in seen]
        seen.update(new)
        waiting += ((load(child), child) for child in reversed(new))


def _linked(document: Any, relation: str, here: str, seen: set[str], load: Load, join: Join) -> Iterable[Any]:
    for link in links_of(document, relation):
        href = join(here, link["href"])
        if href not in seen:
            seen.add(href)
            yield from items_of(load(href), href)
