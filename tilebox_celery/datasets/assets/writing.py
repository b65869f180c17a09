"""Assets as JSON in the words of STAC 1.1."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from tilebox_celery.datasets.assets.asset import Asset, AssetLocation, Band
from tilebox_celery.datasets.assets.metadata import File, Projection, StorageScheme
from tilebox_celery.errors import ArgumentError


def asset_json(asset: Asset) -> dict[str, Any]:
    """Return the JSON object of an asset, complete in itself: nothing of it has to be looked up in the item.

    Example:
        >>> asset_json(Asset("red", AssetLocation("B04.tif"), nodata=math.nan, bands=(Band("B04"),)))
        {'href': 'B04.tif', 'nodata': 'nan', 'bands': [{'name': 'B04'}]}
    """
    own = _without_none(
        type=asset.media_type,
        title=asset.title,
        description=asset.description,
        roles=sorted(asset.roles) or None,
        gsd=asset.gsd,
        alternate={name: {**each.extra, **_location(each)} for name, each in asset.alternates.items()} or None,
    )
    pixels = _pixels(asset)
    bands = [_band(each, pixels) for each in asset.bands]
    placed = {**_projection(asset.projection or Projection()), **_file(asset.file or File())}
    return {**asset.extra, **_location(asset.primary), **own, **placed, **pixels, **({"bands": bands} if bands else {})}


def storage_json(locations: Iterable[AssetLocation]) -> dict[str, Any]:
    """Return the registry of the storage schemes that these locations name.

    Raises:
        ArgumentError: Two of them give one name to different schemes.
    """
    return _registry(
        (key, {**scheme.extra, **_scheme(scheme)})
        for location in locations
        for key, scheme in location.storage_schemes.items()
        if key
    )


def authentication_json(locations: Iterable[AssetLocation]) -> dict[str, Any]:
    """Return the registry of the authentication schemes that these locations name.

    Raises:
        ArgumentError: Two of them give one name to different schemes.
    """
    return _registry(
        (key, {**scheme.extra, **_without_none(type=scheme.type)})
        for location in locations
        for key, scheme in location.authentication_schemes.items()
    )


def _registry(schemes: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, scheme in schemes:
        if found.setdefault(key, scheme) != scheme:
            raise ArgumentError(f"Two locations mean different schemes by {key!r}: give one of them another name.")
    return found


def _location(location: AssetLocation) -> dict[str, Any]:
    inline = location.storage_schemes.get("")
    return {
        "href": location.href,
        **_without_none(
            **{
                "alternate:name": location.alternate_name,
                "storage:refs": [key for key in location.storage_schemes if key] or None,
                "auth:refs": list(location.authentication_schemes) or None,
            }
        ),
        **({f"storage:{key}": value for key, value in _scheme(inline).items()} if inline else {}),
    }


def _scheme(scheme: StorageScheme) -> dict[str, Any]:
    names = ("type", "platform", "region", "requester_pays")
    return _without_none(**{name: getattr(scheme, name) for name in names})


def _projection(projection: Projection) -> dict[str, Any]:
    values = {each.name: getattr(projection, each.name) for each in fields(projection)}
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return _without_none(**{f"proj:{name}": value for name, value in values.items()})


def _file(file: File) -> dict[str, Any]:
    return _without_none(**{"file:size": file.size, "file:checksum": file.checksum})


def _pixels(of: Asset | Band) -> dict[str, Any]:
    values = {"data_type": str(of.data_type) or None, "nodata": _number(of.nodata), "unit": of.unit}
    for prefix, part in (("eo", of.eo), ("raster", of.raster)):
        for each in fields(part) if part else ():
            values[f"{prefix}:{each.name}"] = _number(getattr(part, each.name))
    return _without_none(**values)


def _band(band: Band, of_asset: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a band says beyond its asset."""
    pixels = {key: value for key, value in _pixels(band).items() if of_asset.get(key) != value}
    return {**band.extra, **_without_none(name=band.name, description=band.description), **pixels}


def _number(value: Any) -> Any:
    """Write what JSON has no number for as STAC does."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _without_none(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
