"""Write arguments and results as the JSON that Celery's own messages carry, and read them back."""

from collections.abc import Callable
from typing import Any

from kombu.utils import json

_dumps: Callable[..., str] = json.dumps
_loads: Callable[[bytes], Any] = json.loads


def dump(value: Any) -> bytes:
    """Return a value as JSON: what Celery's JSON serializer takes, except numbers that are not finite.

    Raises:
        TypeError: A part of it is not JSON.
        ValueError: A number is not finite, or the value contains itself.

    Example:
        >>> dump({"args": (1, 2)})
        b'{"args": [1, 2]}'
    """
    try:
        text = _dumps(value, allow_nan=False)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return text.encode()


def load(data: bytes) -> Any:
    """Return the value that `dump` wrote.

    Example:
        >>> load(b'[1, {"a": null}]')
        [1, {'a': None}]
    """
    return _loads(data)
