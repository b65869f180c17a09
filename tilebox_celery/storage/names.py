"""Refuse names that could lead out of the folder they are meant for, wherever they come from."""

import hashlib
import os
from pathlib import PurePosixPath

from tilebox_celery.errors import StorageError

MAX_NAME_BYTES = 255
"""Of one segment; what the usual file systems take."""
MAX_PATH_BYTES = 1024
"""Of all segments, as in S3; a tree much deeper than that cannot be removed any more."""


def safe_path(text: str, what: str) -> PurePosixPath:
    r"""Return a relative path that stays where it is put.

    Args:
        text: A path with forward slashes.
        what: Names it in the error, such as "The location of the datapoint".

    Raises:
        StorageError: It is empty or absolute, has an empty segment, ``.``, ``..``, a backslash or a control character,
            a segment is longer than 255 bytes, all together than 1024, or no file can have this name.

    Example:
        >>> safe_path("ad hoc/bridge", "The location")
        PurePosixPath('ad hoc/bridge')
    """
    try:
        length = len(os.fsencode(text))
    except UnicodeEncodeError as error:
        raise StorageError(f"{what} is {text!r:.200}, which no file can be called.") from error
    if length > MAX_PATH_BYTES:
        raise StorageError(f"{what} has more than {MAX_PATH_BYTES} bytes: {text!r:.80}.")
    for segment in text.split("/"):
        if segment in ("", ".", "..") or "\\" in segment or any(ord(each) < 32 for each in segment):
            raise StorageError(f"{what} is {text!r:.200}, which could lead out of its folder; it is refused.")
        if len(os.fsencode(segment)) > MAX_NAME_BYTES:
            raise StorageError(f"{what} has a name of more than {MAX_NAME_BYTES} bytes: {segment!r:.80}.")
    return PurePosixPath(text)


def key_of(path: PurePosixPath | str) -> str:
    """Return a short name without slashes that stands for a path.

    Example:
        >>> len(key_of("Sentinel-2/MSI"))
        24
    """
    return hashlib.sha256(str(path).encode("utf-8", "surrogatepass")).hexdigest()[:24]
