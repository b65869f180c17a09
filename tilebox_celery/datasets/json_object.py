"""An object of JSON that is decoded when somebody looks into it, since a load may bring gigabytes of assets."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


class JsonObject(Mapping[str, Any]):
    """A read-only mapping of a JSON text; what is inside of it are plain dicts and lists.

    It equals the dict with the same content, and can be copied and pickled. `json.dumps` wants ``dict(value)``. The
    assets of a STAC item print as their number.

    Args:
        content: A JSON text of an object, or the dict itself.

    Example:
        >>> value = JsonObject('{"red":{"href":"B04.tif"},"nir":{"href":"B08.tif"}}')
        >>> value
        2 assets
        >>> value["red"]
        {'href': 'B04.tif'}
        >>> JsonObject('{"a":1}') == {"a": 1}
        True
    """

    __slots__ = ("_content",)

    def __init__(self, content: str | dict[str, Any]) -> None:
        self._content = content

    def _decoded(self) -> dict[str, Any]:
        content = self._content
        if isinstance(content, str):
            content = self._content = json.loads(content)
        return content

    def __getitem__(self, key: str) -> Any:
        """Return the value of a key."""
        return self._decoded()[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._decoded())

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._decoded())

    def __repr__(self) -> str:
        """Return ``5 assets`` for assets, for anything else what the dict prints."""
        values = self._decoded().values()
        if values and all(isinstance(each, dict) and "href" in each for each in values):
            return f"{len(values)} asset{'s' if len(values) > 1 else ''}"
        return repr(self._content)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[np.object_]:
        """Return an array of one object: without this, numpy would take a mapping for a sequence of its keys."""
        del dtype, copy
        array = np.empty((), dtype=object)
        array[()] = self
        return array

    def __reduce__(self) -> tuple[type["JsonObject"], tuple[str | dict[str, Any]]]:
        """Copy and pickle the content, decoded or not."""
        return JsonObject, (self._content,)


def json_value(text: str) -> Any:
    """Return what a JSON text says; an object is decoded later.

    Example:
        >>> json_value("[1,2]"), json_value('{"a":1}')
        ([1, 2], {'a': 1})
    """
    return JsonObject(text) if text.startswith("{") else json.loads(text)


def plain_json(value: Any) -> dict[str, Any]:
    """Return a mapping as a dict, for the argument `default` of `json.dumps`.

    Raises:
        TypeError: It is none.

    Example:
        >>> json.dumps([JsonObject('{"a":1}')], default=plain_json)
        '[{"a": 1}]'
    """
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
