"""Which classes of other libraries are inputs: found by their names, so that none of the libraries is imported for it.

A class in an annotation means that its library is loaded already; what builds the codec fetches it from there.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple


class LibraryCodec(NamedTuple):
    """How the values of one annotated class become JSON data and come back."""

    encode: Callable[[Any], Any]
    """Turns an instance into JSON data; raises TypeError or ValueError if that would lose something."""
    decode: Callable[[Any], Any]
    """Turns JSON data back; raises TypeError or ValueError if it does not fit."""
    json_types: tuple[type, ...]
    """The JSON types that `decode` reads."""


_HOMES = {
    ("shapely", "BaseGeometry"): "geometry_codecs:geometry_codec",
    ("shapely", "Geometry"): "geometry_codecs:geometry_codec",
    ("affine", "Affine"): "raster_codecs:affine_codec",
    ("pyproj", "CRS"): "raster_codecs:pyproj_codec",
    ("rasterio", "CRS"): "raster_codecs:rasterio_codec",
    ("rasterio", "Window"): "raster_codecs:window_codec",
    ("numpy", "generic"): "array_codecs:scalar_codec",
    ("pandas", "Timestamp"): "array_codecs:timestamp_codec",
    ("pandas", "Timedelta"): "array_codecs:timedelta_codec",
}
"""Package and class: where its codec is built."""
_CACHED = "put it into the job cache and pass the key"
_ADVICE = {
    ("pyproj", "Transformer"): "pass its two CRS, and call Transformer.from_crs in execute",
    ("pyproj", "Proj"): "pass its CRS, and make the Proj in execute",
    ("numpy", "ndarray"): _CACHED,
    ("pandas", "DataFrame"): _CACHED,
    ("pandas", "Series"): _CACHED,
    ("geopandas", "GeoDataFrame"): _CACHED,
    ("xarray", "Dataset"): _CACHED,
    ("xarray", "DataArray"): _CACHED,
}


def library_codec(cls: type, base: type) -> LibraryCodec | None:
    """Build the codec of an annotated class, if one of its bases is known.

    Args:
        cls: The class in the annotation, which comes back.
        base: It, or one of its bases.

    Raises:
        TypeError: Values of this class cannot be stored exactly.
    """
    home = _HOMES.get(_name(base))
    if home is None:
        return None
    module, _, function = home.partition(":")
    built: LibraryCodec = getattr(import_module(f"tilebox_celery.model.{module}"), function)(cls)
    return built


def is_library_type(cls: type) -> bool:
    """Return whether a class can be an input if it stands in the annotation."""
    return any(_name(base) in _HOMES for base in cls.__mro__)


def no_form(cls: Any) -> TypeError:
    """Say of a class in an annotation that it cannot be an input, and what to do instead."""
    names = (_name(base) for base in getattr(cls, "__mro__", ()))
    advice = next((_ADVICE[name] for name in names if name in _ADVICE), None)
    advice = advice or "use a dataclass, or teach it with register_codec"
    return TypeError(f"{getattr(cls, '__name__', cls)} has no JSON form; {advice}")


def _name(cls: type) -> tuple[str, str]:
    return cls.__module__.partition(".")[0], cls.__qualname__
