"""Make items of products that are known by the names of their folders or files alone, as those of Copernicus are."""

import re
from collections.abc import Iterator
from typing import Any

from tilebox_celery.datasets.listing import ListedEntry, Listing, Skip
from tilebox_celery.datasets.open_data.copernicus import time_of_name
from tilebox_celery.datasets.stac.products import Item

_ENDINGS = (".SAFE", ".SEN3", ".nc")


def list_names(listing: Listing, pattern: re.Pattern[str], skip: Skip) -> Iterator[Item]:
    """Yield an item for each product below the path of a listing; its footprint is unknown.

    Folders are looked into until one has the name of a product, so that a day of ten thousand products with a hundred
    files each takes ten requests.

    Args:
        listing: Of the provider.
        pattern: Matches the beginning of the name of each product, with the groups start and maybe end.
        skip: Takes a sentence on each product that is left out.
    """
    for product in _products(listing, listing.path, pattern):
        if product.size == 0:
            skip(f"{product.path} is empty.")
        else:
            yield _item(listing.url, product, pattern)


def _products(listing: Listing, folder: str, pattern: re.Pattern[str]) -> Iterator[ListedEntry]:
    if _is_product(folder, pattern):  # the path itself, as somebody copied it
        if next(listing.children(folder), None) is not None:
            yield _Folder(folder)
        return
    found: dict[str, ListedEntry] = {}
    for entry in listing.children(folder):
        name = entry.path.rstrip("/")
        if name not in found or entry.path.endswith("/"):  # an empty object beside a folder only stands for it
            found[name] = entry
    for entry in found.values():
        if _is_product(entry.path, pattern):
            yield entry
        elif entry.path.endswith("/"):
            yield from _products(listing, entry.path, pattern)


def _is_product(path: str, pattern: re.Pattern[str]) -> bool:
    name = _name(path)
    return name.endswith(_ENDINGS) and pattern.match(name) is not None


def _item(url: str, product: ListedEntry, pattern: re.Pattern[str]) -> Item:
    path, name = product.path.rstrip("/"), _name(product.path)
    parts = pattern.match(name)
    assert parts is not None
    times = {key: time_of_name(text) for key, text in parts.groupdict().items() if key in ("start", "end") and text}
    asset: dict[str, Any] = {"href": url + path, "roles": ["data"]}
    if product.size is not None:
        asset["file:size"] = product.size
    return {
        "type": "Feature",
        "id": path,
        "geometry": None,
        "properties": {
            "granule_name": name,
            "datetime": times["start"],
            "start_datetime": times["start"],
            "end_datetime": times.get("end"),
        },
        "assets": {"product": asset},
    }


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


class _Folder:
    """A folder that nobody listed."""

    size = None

    def __init__(self, path: str) -> None:
        self.path = path
