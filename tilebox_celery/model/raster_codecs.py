"""What places a raster on the Earth as task inputs: coordinate reference systems, affine transforms, windows."""

import math
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from tilebox_celery.model.libraries import LibraryCodec


def affine_codec(cls: type) -> LibraryCodec:
    """Build the codec of an affine transform: its six numbers a to f, with all their digits."""

    def encode(transform: Any) -> list[float]:
        *numbers, g, h, i = tuple(transform)
        if not all(map(math.isfinite, numbers)):
            raise ValueError("an Affine with NaN or infinite numbers cannot be stored")
        if (g, h, i) != (0, 0, 1):
            raise ValueError(f"an Affine has the last row 0, 0, 1, got {g}, {h}, {i}")
        return numbers

    def decode(data: Any) -> Any:
        if type(data) is not list or len(data) != 6 or not all(type(each) in (int, float) for each in data):
            raise TypeError(f"expected the six numbers of an Affine, got {data!r:.80}")
        return cls(*data)

    return LibraryCodec(encode, decode, (list,))


def pyproj_codec(cls: Any) -> LibraryCodec:
    """Build the codec of pyproj's CRS: authority and code where they say all, else WKT2, else PROJJSON."""
    errors = import_module("pyproj.exceptions").ProjError

    def is_read_as(text: str, wkt: str) -> bool:
        try:
            return bool(cls.from_user_input(text).to_wkt() == wkt)
        except errors:
            return False

    @lru_cache(maxsize=64)
    def short_text(wkt: str) -> str | None:
        name = cls.from_user_input(wkt).to_json_dict().get("id", {})
        texts = (f"{name.get('authority')}:{name.get('code')}", wkt)
        return next((text for text in texts if is_read_as(text, wkt)), None)

    def encode(crs: Any) -> str:
        wkt = crs.to_wkt()
        text: str = short_text(wkt) or crs.to_json()
        if text[0] == "{" and not is_read_as(text, wkt):
            raise ValueError(f"the CRS {crs.name!r} cannot be stored exactly")
        return text

    return LibraryCodec(encode, lambda data: _read_crs(cls.from_user_input, errors, data), (str,))


def rasterio_codec(cls: Any) -> LibraryCodec:
    """Build the codec of rasterio's CRS: authority and code where they say all, else WKT2."""
    errors = import_module("rasterio.errors").CRSError

    def document(crs: Any) -> str:
        text: str = crs.to_wkt(version="WKT2_2019")
        return text

    def encode(crs: Any) -> str:
        wanted = document(crs)
        for text in (":".join(crs.to_authority() or ()), wanted):
            try:
                if document(cls.from_user_input(text)) == wanted:
                    return text
            except errors:
                continue
        raise ValueError("this CRS cannot be stored exactly")

    return LibraryCodec(encode, lambda data: _read_crs(cls.from_user_input, errors, data), (str,))


def window_codec(cls: type) -> LibraryCodec:
    """Build the codec of rasterio's windows: an object of offsets and sizes in pixels."""
    names = {"column_offset": "col_off", "row_offset": "row_off", "width": "width", "height": "height"}

    def encode(window: Any) -> dict[str, Any]:
        return {name: getattr(window, attribute) for name, attribute in names.items()}

    def decode(data: Any) -> Any:
        if type(data) is not dict or data.keys() != names.keys():
            raise TypeError(f"expected an object with {', '.join(names)}, got {data!r:.80}")
        return cls(**{names[name]: each for name, each in data.items()})

    return LibraryCodec(encode, decode, (dict,))


def _read_crs(read: Callable[[str], Any], errors: type[Exception], data: Any) -> Any:
    if not isinstance(data, str):
        raise TypeError(f"expected the text of a CRS, such as 'EPSG:4326', got {data!r:.80}")
    try:
        return read(data)
    except errors as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{data!r:.80} is no CRS that is known here ({reason})") from error
