"""JSON as text and as Python values, always by orjson: ids hash the text, so it may not depend on what is installed."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z


def loads(text: bytes | str) -> Any:
    """Parse JSON text; the error is a ValueError."""
    return orjson.loads(text)


def dumps(value: Any) -> str:
    """Write JSON text without spaces and with sorted keys, so that equal values give equal text.

    Raises:
        TypeError: JSON cannot hold the value.
    """
    return orjson.dumps(value, option=_OPTIONS).decode()


@contextmanager
def paused_collector() -> Iterator[None]:
    """Keep the cyclic garbage collector from walking over thousands of live dicts that hold no cycle."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
