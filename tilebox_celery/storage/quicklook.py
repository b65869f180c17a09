"""Find the quicklook among the files of a product, and open it."""

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tilebox_celery.errors import NotFoundError, StorageError
from tilebox_celery.storage.granule import Granule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

PATTERNS = (
    r"[^/]*-ql\.jpg",  # Sentinel-2
    r"preview/quick-look\.png",  # Sentinel-1
    r"quicklook\.jpg",  # Sentinel-3
    r"(.*/)?[^/]*(quick-?look|thumbnail|browse|preview)[^/]*\.(jpe?g|png)",
    r"(.*/)?[^/]*\.(jpe?g|png)",
)


def quicklook_of(names: "Sequence[str]", granule: Granule) -> str:
    """Return the name of the quicklook: the one that the datapoint's thumbnail names, or what looks like one.

    Raises:
        NotFoundError: There is none.

    Example:
        >>> quicklook_of(["manifest.safe", "T33-ql.jpg"], Granule({"granule_name": "T33"}))
        'T33-ql.jpg'
    """
    # A path, a URL, or the catalogue's https://.../get-object?path=/Sentinel-2/...-ql.jpg
    thumbnail = PurePosixPath(unquote(granule.optional_text("thumbnail") or "")).name
    named = [name for name in names if thumbnail and PurePosixPath(name).name == thumbnail]
    if named:
        return named[0]
    for pattern in PATTERNS:
        for name in names:
            if re.fullmatch(pattern, name, re.IGNORECASE):
                return name
    raise NotFoundError(f"{granule.name} has no quicklook.")


def open_picture(path: Path, width: int, height: int) -> "Image":
    """Return a picture that fits into so many pixels, with its proportions.

    Raises:
        StorageError: Pillow is not installed, or the file is no picture.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise StorageError(
            "quicklook() needs Pillow: pip install pillow, or take the file that download_quicklook() returns."
        ) from error
    try:
        with Image.open(path) as picture:
            picture.thumbnail((width, height))
            return picture.copy()
    except Exception as error:  # a damaged picture brings Pillow to raise anything
        raise StorageError(f"The quicklook {path} cannot be opened as a picture.") from error
