"""What an item says of its product by the names of its files: the product's name, its folder and its thumbnail."""

from typing import Any

Item = dict[str, Any]

_NAME_PROPERTIES = ("s2:product_uri", "sentinel2:product_uri", "landsat:product_id", "product_id", "granule_name")
_THUMBNAIL_ASSETS = ("thumbnail", "preview", "quicklook", "browse", "rendered_preview", "ql", "overview")


def hrefs(item: Item) -> list[str]:
    """Return the href of each asset."""
    assets = (item.get("assets") or {}).values()
    return [href for each in assets if isinstance(each, dict) and isinstance(href := each.get("href"), str)]


def product_folder(item: Item) -> str | None:
    """Return the part of an asset's href that ends with the product's own folder, None where no folder bears its name.

    A folder is the product's if its name begins as the item's id does (ids leave out some parts of a product's name,
    and append others, but keep mission, kind and place or time, which stand first).

    Example:
        >>> item = {"id": "LC09_L2SP_089090_20240417_02_T1", "assets": {"red": {
        ...     "href": "https://x.org/089/090/LC09_L2SP_089090_20240417_20240418_02_T1/LC09_L2SP_089090_B4.TIF"}}}
        >>> product_folder(item)
        'https://x.org/089/090/LC09_L2SP_089090_20240417_20240418_02_T1'
    """
    beginning = "/" + "_".join(str(item["id"]).split("_")[:3])
    for href in hrefs(item):
        start = href.find(beginning)
        end = href.find("/", start + 1)
        if start >= 0 and end > 0:
            return href[:end]
    return None


def product_name(item: Item, folder: str | None) -> str:
    """Return the name of the product by its provider: as a property says, or its folder, or else the item's id."""
    properties = item["properties"]
    for key in _NAME_PROPERTIES:
        name = properties.get(key)
        if isinstance(name, str) and name:
            return name
    return folder.rpartition("/")[2] if folder else str(item["id"])


def thumbnail(item: Item) -> str | None:
    """Return the href of a small picture of the product, None where the item names none."""
    assets = item.get("assets") or {}
    for name in _THUMBNAIL_ASSETS:
        if isinstance(assets.get(name), dict):
            return _href(assets[name])
    for asset in assets.values():
        if isinstance(asset, dict) and "thumbnail" in (asset.get("roles") or ()):
            return _href(asset)
    return None


def epsg_code(item: Item) -> int | None:
    """Return the EPSG number of the pixels' projection, None where the item names none."""
    properties = item["properties"]
    number: int | None = properties.get("proj:epsg")
    if number is not None:
        return number
    code = properties.get("proj:code")
    is_epsg = isinstance(code, str) and code.upper().startswith("EPSG:") and code[5:].isdigit()
    return int(code[5:]) if is_epsg else None


def _href(asset: Any) -> str | None:
    href = asset.get("href") if isinstance(asset, dict) else None
    return href if isinstance(href, str) else None
