"""What items of the Copernicus Data Space, and of those that mirror it, say of any product."""

import re
from typing import Any

from tilebox_celery.datasets.open_data.dataset import Product
from tilebox_celery.datasets.stac.products import Item, hrefs

STAC_SEARCH = "https://stac.dataspace.copernicus.eu/v1/search"
_PRODUCT_ID = re.compile(r"Products\(([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\)", re.IGNORECASE)
_BUCKET = "s3://eodata/"
_OFFLINE = frozenset({"offline", "orderable", "ordered", "shipping", "failed"})


def copernicus_facts(product: Product, granule_name: str) -> dict[str, Any]:
    """Return the facts of the fields that all products of the Copernicus Data Space have, those of its name left out.

    Args:
        product: Of any mission.
        granule_name: The product's name with its ending, as its folder or file is called.
    """
    item, properties = product.item, product.properties
    assets = item.get("assets") or {}
    archive = assets.get("Product") or assets.get("product") or {}
    return {
        "granule_name": granule_name,
        "location": location_of(item, granule_name) or product.folder,
        "copernicus_id": _copernicus_id(item),
        "online": _is_online(item),
        "file_size": archive.get("file:size") or properties.get("file:size"),
        "published": properties.get("published") or properties.get("created"),
        "start_time": properties.get("start_datetime"),
        "end_time": properties.get("end_datetime"),
    }


def location_of(item: Item, granule_name: str) -> str | None:
    """Return where the product's folder or file is: a path below /eodata in the bucket of Copernicus, else a URL.

    Example:
        >>> item = {"assets": {"B02": {"href": "s3://eodata/Sentinel-2/MSI/L2A/2024/08/01/X.SAFE/GRANULE/B02.jp2"}}}
        >>> location_of(item, "X.SAFE")
        '/eodata/Sentinel-2/MSI/L2A/2024/08/01/X.SAFE'
    """
    for href in hrefs(item):
        start = href.rfind(f"/{granule_name}")
        end = start + 1 + len(granule_name)
        if start >= 0 and href[end : end + 1] in {"", "/"}:
            folder = href[:end]
            return f"/eodata/{folder[len(_BUCKET) :]}" if folder.startswith(_BUCKET) else folder
    return None


def flight_direction(item: Item) -> str | None:
    """Return ASCENDING or DESCENDING."""
    state = item["properties"].get("sat:orbit_state")
    return state.upper() if isinstance(state, str) else None


def time_of_name(text: str) -> str:
    """Return the time of a product's name, such as 20240801T002611, as ISO 8601 in UTC."""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[9:11]}:{text[11:13]}:{text[13:15]}Z"


def _copernicus_id(item: Item) -> str | None:
    for href in hrefs(item):
        found = _PRODUCT_ID.search(href) if "Products(" in href else None
        if found:
            return found[1]
    return None


def _is_online(item: Item) -> bool:
    """Whether the provider says so, or says nothing and names files."""
    properties = item["properties"]
    said = properties.get("storage:tier") or properties.get("order:status")
    if isinstance(said, str):
        return said.lower() not in _OFFLINE
    return bool(hrefs(item))
