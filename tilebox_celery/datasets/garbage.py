"""Keep the cyclic garbage collector from searching through millions of values that are being made."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_pauses = 0
_was_enabled = False


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector until the last of those who paused it, in any thread, is done.

    Making a million shapely geometries takes half as long again with it, and it finds nothing: none is in a cycle.

    Example:
        >>> with collector_paused():
        ...     gc.isenabled()
        False
    """
    global _pauses, _was_enabled
    with _lock:
        if _pauses == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _pauses += 1
    try:
        yield
    finally:
        with _lock:
            _pauses -= 1
            if _pauses == 0 and _was_enabled:
                gc.enable()
