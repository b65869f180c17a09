"""Make items of Umbra's products from the metadata file that lies beside the images of each."""

import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby
from typing import Any

from tilebox_celery.datasets.json_text import loads
from tilebox_celery.datasets.listing import ListedEntry, Listing, Skip
from tilebox_celery.datasets.stac.products import Item
from tilebox_celery.errors import NotFoundError

_METADATA = "METADATA.json"
_LARGEST_BYTES = 16 << 20
_AHEAD = 4
"""Files that are asked for ahead, for each that is read at a time."""


def list_umbra(listing: Listing, pattern: re.Pattern[str], skip: Skip) -> Iterator[Item]:
    """Yield an item for each folder of a product: its metadata, and an asset for each of its files.

    Args:
        listing: Of the provider.
        pattern: Matches the beginning of the name of each product.
        skip: Takes a sentence on each product that is left out.
    """
    waiting: deque[tuple[str, list[ListedEntry], str, Future[bytes]]] = deque()
    with ThreadPoolExecutor(listing.parallel, thread_name_prefix="tilebox-listing") as pool:
        try:
            for folder, files in _folders(listing, pattern):
                metadata = next((each for each in files if each.path.endswith(_METADATA)), None)
                if metadata is None or not 0 < (metadata.size or 0) <= _LARGEST_BYTES:
                    skip(f"{folder} has no {_METADATA} that can be read.")
                    continue
                waiting.append((folder, files, metadata.path, pool.submit(listing.read, metadata.path)))
                if len(waiting) > _AHEAD * listing.parallel:
                    yield from _items(listing.url, *waiting.popleft(), skip)
            while waiting:
                yield from _items(listing.url, *waiting.popleft(), skip)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _folders(listing: Listing, pattern: re.Pattern[str]) -> Iterator[tuple[str, list[ListedEntry]]]:
    """Yield the path of each product's folder, without a slash at the end, and its files."""

    def folder_of(entry: ListedEntry) -> str:
        *folders, _ = segments = entry.path.split("/")
        depth = next((at for at, name in enumerate(folders, 1) if pattern.fullmatch(name)), 0)
        return "/".join(segments[:depth])

    for folder, files in groupby(listing.files(), folder_of):
        if folder:
            yield folder, list(files)


def _items(url: str, folder: str, files: list[ListedEntry], path: str, read: Future[bytes], skip: Skip) -> list[Item]:
    try:
        document = loads(read.result())
    except NotFoundError as error:
        skip(str(error))
    except ValueError as error:
        skip(f"{path} is no JSON: {error}.")
    else:
        collects = document.get("collects") if isinstance(document, dict) else None
        if isinstance(collects, list) and collects and isinstance(collects[0], dict):
            return [_item(url, folder, files, document, collects[0])]
        skip(f"{path} has no collects, which say when and where the image was taken.")
    return []


def _item(url: str, folder: str, files: list[ListedEntry], document: dict[str, Any], collect: dict[str, Any]) -> Item:
    name = folder.rpartition("/")[2]
    resolution = collect.get("maxGroundResolution")
    resolution = resolution if isinstance(resolution, dict) else {}
    start = collect.get("startAtUTC") or _time_of(name)
    properties = {
        "granule_name": name,
        "location": url + folder,  # unless it is a path of the bucket that UmbraStorageClient knows
        "datetime": start,
        "start_datetime": start,
        "end_datetime": collect.get("endAtUTC"),
        "sar:instrument_mode": document.get("imagingMode"),
        "sar:polarizations": collect.get("polarizations"),
        "sar:resolution_range": resolution.get("rangeMeters"),
        "sar:resolution_azimuth": resolution.get("azimuthMeters"),
        "umbra:grazing_angle_degrees": collect.get("angleGrazingDegrees"),
        "umbra:squint_angle_degrees": collect.get("angleSquintDegrees"),
        "umbra:task_id": collect.get("taskId"),
    }
    return {
        "type": "Feature",
        "id": folder,
        "geometry": _flat(collect.get("footprintPolygonLla")),
        "properties": properties,
        "assets": _assets(url, f"{folder}/{name}_", files),
    }


def _assets(url: str, beginning: str, files: list[ListedEntry]) -> dict[str, Any]:
    """Return the files by names such as GEC, for .../name_GEC.tif; where two would have one name, by their own."""
    assets: dict[str, Any] = {}
    for file in files:
        name = file.path.removeprefix(beginning).rpartition(".")[0]
        if not name or name in assets or not file.path.startswith(beginning):
            name = file.path.rpartition("/")[2]
        assets[name] = {"href": url + file.path, "file:size": file.size}
    return assets


def _flat(geometry: Any) -> Any:
    """Return a polygon without the heights of its corners; anything else as it is, to be refused with its reason."""
    rings = geometry.get("coordinates") if isinstance(geometry, dict) else None
    try:
        return {**geometry, "coordinates": [[corner[:2] for corner in ring] for ring in rings]} if rings else geometry
    except TypeError:
        return geometry


def _time_of(name: str) -> str:
    """Return the time of 2024-01-05-01-53-37_UMBRA-07."""
    parts = name.partition("_")[0].split("-")
    return f"{'-'.join(parts[:3])}T{':'.join(parts[3:])}Z"
