"""Assets from JSON, as STAC 1.0 and 1.1 write it."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from itertools import zip_longest
from typing import Any, TypeVar

from tilebox_celery.datasets.assets.asset import Asset, AssetLocation, Band
from tilebox_celery.datasets.assets.metadata import (
    AuthenticationScheme,
    DataType,
    EOProperties,
    File,
    Projection,
    RasterProperties,
    StorageScheme,
)
from tilebox_celery.datasets.assets.reader import Reader
from tilebox_celery.errors import ArgumentError

Json = Mapping[str, Any]
Value = TypeVar("Value", EOProperties, RasterProperties)
CRS_KEYS = ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson")
GRID_KEYS = ("proj:shape", "proj:transform", "proj:bbox")
_OFF_THE_GRID = (
    *("image/jpeg", "image/png", "image/gif", "image/webp", "text/"),
    *("application/json", "application/geo+json", "application/xml", "application/pdf"),
)
"""Media types of pictures and descriptions: they do not lie on the grid of the item, unless they say so themselves."""
_PIXELS = ("data_type", "nodata", "unit", "eo", "raster")
_OLD_EO = ("common_name", "center_wavelength", "full_width_half_max", "solar_illumination")
_OLD_RASTER = ("sampling", "bits_per_sample", "spatial_resolution", "scale", "offset", "histogram")


def read_asset(key: str, value: Any, item: Json, storage: Json, authentication: Json) -> Asset:
    """Return the asset that a JSON object describes.

    Args:
        key: Its name.
        value: The JSON object.
        item: What its item says for all assets that say nothing else: ``gsd``, ``proj:epsg`` and the like.
        storage: The item's ``storage:schemes``.
        authentication: The item's ``auth:schemes``.

    Raises:
        ArgumentError: It has no href, or a value is not of its type; the sentence names asset and property.

    Example:
        >>> value = {"href": "B04.tif", "raster:bands": [{"nodata": 0}]}
        >>> asset = read_asset("red", value, {"proj:epsg": 32735}, {}, {})
        >>> asset.nodata, asset.projection.code
        (0, 'EPSG:32735')
    """
    read = Reader(f"The asset {key!r}", value)
    primary = replace(_location(read, storage, authentication), extra={})
    alternates = {
        name: _alternate(Reader(f"The alternate {name!r} of the asset {key!r}", each), storage, authentication)
        for name, each in read.mapping("alternate").items()
    }
    media_type = read.text("type")
    inherited = Reader("The datapoint", {} if (media_type or "").startswith(_OFF_THE_GRID) else item)
    gsd = read.number("gsd")
    asset = Asset(
        key=key,
        primary=primary,
        alternates=alternates,
        media_type=media_type,
        title=read.text("title"),
        description=read.text("description"),
        roles=frozenset(read.texts("roles")),
        gsd=inherited.number("gsd") if gsd is None else gsd,
        projection=_projection(read, inherited),
        file=_file(read),
        **_pixels(read),
    )
    bands = tuple(_band(f"Band {at} of the asset {key!r}", each, asset) for at, each in enumerate(_bands_json(read)))
    return replace(_with_common(asset, bands), bands=bands, extra=read.rest())


def _location(read: Reader, storage: Json, authentication: Json) -> AssetLocation:
    href = read.text("href")
    if not href:
        raise ArgumentError(f"{read.what} has no href.")
    schemes = {"": _storage_scheme(read, "storage:")} if read.has("storage:platform", "storage:requester_pays") else {}
    for key in read.texts("storage:refs"):
        if key in storage:
            schemes[key] = _storage_scheme(Reader(f"The storage scheme {key!r}", storage[key]), "")
    logins = {}
    for key in read.texts("auth:refs"):
        if key in authentication:
            scheme = Reader(f"The authentication scheme {key!r}", authentication[key])
            logins[key] = AuthenticationScheme(scheme.text("type"), scheme.rest())
    return AssetLocation(href, read.text("alternate:name"), schemes, logins)


def _alternate(read: Reader, storage: Json, authentication: Json) -> AssetLocation:
    location = _location(read, storage, authentication)
    return replace(location, extra=read.rest())


def _storage_scheme(read: Reader, prefix: str) -> StorageScheme:
    """Read a scheme of the registry, or what an asset says itself, as version 1 of the extension has it."""
    return StorageScheme(
        read.text("type") if not prefix else None,
        read.text(f"{prefix}platform"),
        read.text(f"{prefix}region"),
        read.truth(f"{prefix}requester_pays"),
        read.rest() if not prefix else {},
    )


def _projection(own: Reader, inherited: Reader) -> Projection | None:
    """Return the projection; a grid is never put together of two, nor into another projection than its own."""
    crs = own if own.has(*CRS_KEYS) else inherited
    is_foreign = own.has(*CRS_KEYS) and _code(own) != _code(inherited)
    grid = own if own.has("proj:shape", "proj:transform") or is_foreign else inherited
    bbox = own if own.has("proj:bbox") or is_foreign else inherited
    found = Projection(
        code=_code(crs),
        shape=_whole_numbers(grid.numbers("proj:shape")),
        transform=grid.numbers("proj:transform"),
        bbox=bbox.numbers("proj:bbox"),
        wkt2=crs.text("proj:wkt2"),
        projjson=crs.mapping("proj:projjson") or None,
    )
    own.take(*CRS_KEYS, *GRID_KEYS)
    return None if found == Projection() else found


def _code(read: Reader) -> str | None:
    code, number = read.text("proj:code"), read.whole("proj:epsg")
    return code if code is not None or number is None else f"EPSG:{number}"


def _whole_numbers(values: tuple[float, ...] | None) -> tuple[int, ...] | None:
    return None if values is None else tuple(int(each) for each in values)


def _file(read: Reader) -> File | None:
    found = File(read.whole("file:size"), read.text("file:checksum"))
    return None if found == File() else found


def _pixels(read: Reader) -> dict[str, Any]:
    eo = EOProperties(
        read.text("eo:common_name"),
        read.number("eo:center_wavelength"),
        read.number("eo:full_width_half_max"),
        read.number("eo:solar_illumination"),
    )
    raster = RasterProperties(
        read.number("raster:scale"),
        read.number("raster:offset"),
        read.number("raster:spatial_resolution"),
        read.text("raster:sampling"),
        read.whole("raster:bits_per_sample"),
    )
    return {
        "data_type": _data_type(read.text("data_type")),
        "nodata": read.number("nodata"),
        "unit": read.text("unit"),
        "eo": None if eo == EOProperties() else eo,
        "raster": None if raster == RasterProperties() else raster,
    }


def _data_type(text: str | None) -> DataType | str:
    try:
        return DataType(text or "")
    except ValueError:
        return text or ""


def _bands_json(read: Reader) -> Iterator[Any]:
    """Yield the bands as STAC 1.1 writes them; before it each extension had a list of its own."""
    new, eo, raster = (read.list(name) for name in ("bands", "eo:bands", "raster:bands"))
    if new:
        yield from new
        return
    nothing: dict[str, Any] = {}
    for one, other in zip_longest(eo, raster, fillvalue=nothing):
        if not isinstance(one, Mapping) or not isinstance(other, Mapping):
            raise ArgumentError(f"{read.what} has bands that are no JSON objects.")
        yield {**_prefixed(other, "raster:", _OLD_RASTER), **_prefixed(one, "eo:", _OLD_EO)}


def _prefixed(band: Json, prefix: str, names: tuple[str, ...]) -> dict[str, Any]:
    return {f"{prefix}{key}" if key in names else key: value for key, value in band.items()}


def _band(what: str, value: Any, asset: Asset) -> Band:
    read = Reader(what, value)
    pixels = _pixels(read)
    for name in ("data_type", "nodata", "unit"):
        pixels[name] = getattr(asset, name) if pixels[name] in (None, "") else pixels[name]
    pixels["eo"] = _merged(pixels["eo"], asset.eo)
    pixels["raster"] = _merged(pixels["raster"], asset.raster)
    return Band(name=read.text("name"), description=read.text("description"), **pixels, extra=read.rest())


def _merged(own: Value | None, inherited: Value | None) -> Value | None:
    if own is None or inherited is None:
        return inherited if own is None else own
    missing = {each.name: getattr(inherited, each.name) for each in fields(own) if getattr(own, each.name) is None}
    return replace(own, **missing)


def _with_common(asset: Asset, bands: tuple[Band, ...]) -> Asset:
    """Let the asset say what all of its bands say."""
    common = {}
    for name in _PIXELS:
        values = [getattr(band, name) for band in bands]
        is_common = len({repr(each) for each in values}) == 1  # by their texts, since NaN is not itself
        if is_common and values[0] not in (None, "") and getattr(asset, name) in (None, ""):
            common[name] = values[0]
    return replace(asset, **common)
