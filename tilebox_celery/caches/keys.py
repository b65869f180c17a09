"""Turn a cache key into checked path segments, the same for every backend."""

import unicodedata

from tilebox_celery.errors import CacheKeyError

MAX_KEY_BYTES = 900
"""UTF-8 bytes of a key with all its groups; object stores allow 1,024 including their own prefix."""
MAX_SEGMENT_BYTES = 254
"""Bytes of one segment as a file name (255 on Linux), less the one that a value beside its group takes."""


def parse_key(key: object, group: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Split a key at its slashes and check each segment.

    Args:
        key: The key as the user wrote it, relative to `group`.
        group: Segments of the group in which the key lives.

    Returns:
        The segments of the key from the root of the cache, in Unicode normal form C.

    Raises:
        TypeError: The key is not a str.
        CacheKeyError: A segment is empty, ``.`` or ``..``, too long, or holds a backslash or control character.

    Example:
        >>> parse_key("movies/1", ("job",))
        ('job', 'movies', '1')
    """
    if not isinstance(key, str):
        raise TypeError(f"A cache key is a str, but got {type(key).__name__}.")
    segments = tuple(unicodedata.normalize("NFC", key).split("/"))
    for segment in segments:
        if problem := _problem(segment):
            raise CacheKeyError(f"Cache key {shorten(key)} {problem}.")
    path = group + segments
    if len("/".join(path).encode()) > MAX_KEY_BYTES:
        raise CacheKeyError(f"Cache key {shorten(key)} has more than {MAX_KEY_BYTES} bytes, its groups included.")
    return path


def shorten(key: str) -> str:
    """Quote a key for a message, in ASCII and at most some 80 characters.

    Example:
        >>> shorten("a" * 100)
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'"
    """
    return ascii(key if len(key) <= 60 else key[:60] + "...")


def encode_segment(segment: str) -> str:
    """Write a segment as a file name: itself, with ``%`` as ``%25``, so that other names with ``%`` are ours.

    Example:
        >>> encode_segment("100%")
        '100%25'
    """
    return segment.replace("%", "%25")


def decode_segment(name: str) -> str:
    """Read back what `encode_segment` wrote.

    Example:
        >>> decode_segment("100%25")
        '100%'
    """
    return name.replace("%25", "%")


def _problem(segment: str) -> str | None:
    if not segment:
        return "is empty, or has an empty segment: write 'group/name' without a slash at either end"
    if segment in (".", ".."):
        return f"has the segment '{segment}', which could leave its group"
    if "\\" in segment:
        return "has a backslash: groups are separated by '/'"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in segment):
        return "has a control character or half of a surrogate pair"
    if len(encode_segment(segment).encode()) > MAX_SEGMENT_BYTES:
        return f"has a segment of more than {MAX_SEGMENT_BYTES} bytes ('%' counts as three): split it with '/'"
    return None
