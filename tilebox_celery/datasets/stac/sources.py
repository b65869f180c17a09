"""Every form in which STAC items come, as one stream of chunks of plain dicts."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import pyarrow as pa

from tilebox_celery.datasets.garbage import collector_paused
from tilebox_celery.datasets.schema import Schema
from tilebox_celery.datasets.stac.documents import items_of
from tilebox_celery.datasets.stac.files import read_file
from tilebox_celery.datasets.stac.products import Item
from tilebox_celery.datasets.stac.table import items_to_table
from tilebox_celery.datasets.stac.web import read_url
from tilebox_celery.errors import ArgumentError

CHUNK_ITEMS = 250
Converted = TypeVar("Converted")


class SupportsToDict(Protocol):
    """An item, or a collection of items, of pystac."""

    def to_dict(self, *, transform_hrefs: bool) -> dict[str, Any]:
        """Return the form of STAC JSON."""


ItemSource: TypeAlias = Mapping[str, Any] | SupportsToDict | Iterable[Any] | str | os.PathLike[str]
"""An item or ItemCollection (dict or pystac), any iterable of items, a path, or the URL of a STAC API search or file.

Another package's listing of a provider is an iterable of items, too: nothing here knows where they come from.
"""


def read_items(source: ItemSource, *, chunk_items: int = CHUNK_ITEMS) -> Iterator[list[Item]]:
    """Yield STAC items as dicts, some at a time, so that a source of any size fits in memory.

    Args:
        source: A dict (Item, ItemCollection, FeatureCollection), a list or other iterable of items, an Item,
            ItemCollection or Catalog of pystac, a path that ends with .json, .geojson, .ndjson, .jsonl or .parquet
            (stac-geoparquet), or the http(s) URL of a STAC API search (all of its pages are read) or of a static
            catalog.
        chunk_items: The most items of a chunk.

    Raises:
        ArgumentError: The source is none of these, does not exist, or holds something else.
        CatalogUnavailable: A URL cannot be reached, or its server keeps failing.

    Example:
        >>> [len(items) for items in read_items([{"id": "a"}, {"id": "b"}, {"id": "c"}], chunk_items=2)]
        [2, 1]
    """
    items = iter(_items(source))
    while True:
        with collector_paused():
            chunk = list(islice(items, chunk_items))
        if not chunk:
            return
        yield chunk


def read_items_and(
    convert: Callable[[list[Item], int], Converted], source: ItemSource, *, chunk_items: int = CHUNK_ITEMS
) -> Iterator[Converted]:
    """Yield what a function makes of each chunk and of the number of its first item.

    The items of a chunk are freed before the garbage collector runs again, which so never walks over them.
    """
    items = iter(_items(source))
    number = 0
    while True:
        with collector_paused():
            chunk = list(islice(items, chunk_items))
            if not chunk:
                return
            converted = convert(chunk, number)
            number += len(chunk)
            del chunk
        yield converted


def read_tables(source: ItemSource, schema: Schema) -> Iterator[pa.Table]:
    """Return the tables of `items_to_table` for all chunks of a source; errors count its items from 0.

    Raises:
        ArgumentError: As `read_items` and `items_to_table` do.
        CatalogUnavailable: As `read_items` does.
    """
    return read_items_and(lambda items, number: items_to_table(items, schema, first_number=number), source)


def _items(source: Any) -> Iterable[Any]:
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        return read_url(text) if text.lower().startswith(("http://", "https://")) else read_file(Path(text))
    if isinstance(source, Mapping):
        return items_of(source, "The source")
    if hasattr(source, "get_items"):  # a Catalog or Collection of pystac
        return map(_plain, source.get_items(recursive=True))
    if hasattr(source, "items_as_dicts"):  # a search of pystac-client
        return source.items_as_dicts()  # type: ignore[no-any-return]  # of a package that may not be installed
    if hasattr(source, "to_dict"):
        return items_of(_plain(source), "The source")
    if isinstance(source, Iterable) and not isinstance(source, bytes | bytearray):
        return map(_plain, source)
    raise ArgumentError(
        f"A {type(source).__name__} is no source of STAC items: pass items, an ItemCollection, a path or a URL."
    )


def _plain(item: Any) -> Any:
    return item.to_dict(transform_hrefs=False) if hasattr(item, "to_dict") else item
