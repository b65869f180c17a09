"""JSON as text and as Python values, by orjson, which alone is fast enough for assets of 10 kB an item."""

import json
import re
from typing import Any

import orjson

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


def loads(text: bytes | str) -> Any:
    """Parse JSON text; the error is a ValueError."""
    return orjson.loads(text)


def dumps(value: Any) -> str:
    """Write JSON text without spaces.

    Raises:
        TypeError: JSON cannot hold the value.
    """
    return orjson.dumps(value, option=_OPTIONS).decode()


def canonical_dumps(value: Any) -> str:
    """Write JSON text that is the same for equal values, and the same as that of incoming data of other forms.

    Ids are made of it, so that a dataset that was loaded, and is ingested again, must give the same text.

    Raises:
        TypeError: JSON cannot hold the value.
        ValueError: The database cannot.

    Example:
        >>> canonical_dumps({"b": 1e-7, "a": "\u00e9"})
        '{"a":"\\\\u00e9","b":1e-07}'
    """
    text = dumps(value)
    # Such texts are few, and take twice as long.
    if not text.isascii() or _has_small_number(text):
        text = json.dumps(orjson.loads(text), separators=(",", ":"))
    if "\\u0000" in text and _ESCAPED_NUL.search(text):
        raise ValueError("has a text with a NUL character, which Postgres cannot store")
    return text


def _has_small_number(text: str) -> bool:
    """Whether there may be a number that Python writes in another way: 1e-7 as 1e-07, and 0.00001 as 1e-05."""
    exponents = text.split("e-")[1:]
    return "0.0000" in text or any(after[:1].isdigit() and not after[1:2].isdigit() for after in exponents)
