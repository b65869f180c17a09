"""The name of a field for each property: ``eo:cloud_cover`` is `cloud_cover`, ``proj:epsg`` is `proj_epsg`."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from tilebox_celery.datasets.schema import RESERVED

_TAKEN = RESERVED | {"stac_id", "granule_name", "geometry", "assets", "stac_collection", "properties"}
"""Names that an item fills from elsewhere than its properties."""
_KEPT_PREFIXES = frozenset({"proj", "processing", "file", "table", "cube", "storage", "auth"})
"""Extensions whose properties mean nothing without it: shape, transform, level, size, schemes."""
_USUAL_PREFIXES = ("eo", "view", "sat", "sar", "sci")
"""Extensions that win where two properties would have the same name."""


def short_name(key: str) -> str:
    """Return the name of a property without the prefix of its extension."""
    prefix, _, rest = key.rpartition(":")
    return long_name(key) if not rest or prefix in _KEPT_PREFIXES else _clean(rest)


def long_name(key: str) -> str:
    """Return the name of a property with the prefix of its extension."""
    return _clean(key)


def field_names(keys: Iterable[str]) -> dict[str, str]:
    """Return a field name for each property; the prefix stays where two would have the same name.

    Example:
        >>> field_names(["eo:cloud_cover", "a:shape", "b:shape"])
        {'eo:cloud_cover': 'cloud_cover', 'a:shape': 'a_shape', 'b:shape': 'b_shape'}
    """
    keys = list(keys)
    count = Counter(short_name(key) for key in keys)
    names: dict[str, str] = {}
    for key in keys:
        short = short_name(key)
        name = short if count[short] == 1 and short not in _TAKEN else long_name(key)
        while name in _TAKEN or name in names.values():
            name = f"{name}_"
        names[key] = name
    return names


def keys_of_field(name: str, keys: Iterable[str]) -> list[str]:
    """Return which of these properties may fill a field, the most likely first."""
    fitting = [key for key in keys if any(_is_name(name, of) for of in (key, short_name(key), long_name(key)))]
    return sorted(fitting, key=lambda key: _rank(name, key))


def _is_name(name: str, of: str) -> bool:
    """Whether `field_names` may have made one of the other, by adding what tells it from a name that is taken."""
    return name.startswith(of) and not name[len(of) :].strip("_")


def _rank(name: str, key: str) -> tuple[int, int, str]:
    prefix = key.rpartition(":")[0]
    usual = _USUAL_PREFIXES.index(prefix) if prefix in _USUAL_PREFIXES else len(_USUAL_PREFIXES)
    how = 0 if key == name else 1 if long_name(key) == name else 2 if short_name(key) == name else 3
    return how, usual, key


@lru_cache(4096)  # the same few keys in every chunk
def _clean(text: str) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", text.lower())[:63]
    if not name or not name[0].isalpha():
        name = f"x{name}" if name.startswith("_") else f"x_{name}"
    return name[:63]
