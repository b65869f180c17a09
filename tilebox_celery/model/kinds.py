"""What an annotation says about a value: how it becomes JSON data and how it comes back, container by container."""

import json
from collections import abc
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from tilebox_celery.model.codecs import JSON_TYPES, Decode, Encode, encode_enum, refuse_value
from tilebox_celery.model.text import counted


class Kind(NamedTuple):
    """What an annotation says about a value and its JSON data."""

    decode: Decode | None = None
    """Turns JSON data into the value; None: it is the value already."""
    json_types: tuple[type, ...] | None = None
    """The JSON types that fit; None: all of them."""
    key: Decode | None = None
    """Turns a key of a JSON object back; None: the same as `decode`."""
    encode: Encode | None = None
    """Turns the value into JSON data; None: it must be JSON data already, which the JSON encoder sees to."""

    def fits(self, data: Any) -> bool:
        """Return whether JSON of this type can be meant at all."""
        return self.json_types is None or type(data) in self.json_types


def encode_mapping(value: Any) -> Any:
    """Make a dict of any other mapping, and leave the rest to the JSON encoder."""
    return dict(value) if not isinstance(value, dict) and isinstance(value, abc.Mapping) else value


ANYTHING = Kind()
PLAIN: dict[Any, Kind] = {
    str: Kind(None, (str,)),
    bool: Kind(None, (bool,), key=lambda key: {"true": True, "false": False}[key]),
    int: Kind(None, (int,), key=int),
    float: Kind(None, (float, int), key=float),
    None: Kind(None, (type(None),), key=lambda key: {"null": None}[key]),
    type(None): Kind(None, (type(None),), key=lambda key: {"null": None}[key]),
    Any: ANYTHING,
    object: ANYTHING,
    list: Kind(None, (list,)),
    dict: Kind(None, (dict,), encode=encode_mapping),
}
"""What is JSON data by itself."""


def list_kind(item: Kind) -> Kind:
    """Return the kind of a list."""
    decode, encode = item.decode, item.encode
    return Kind(
        None if decode is None else lambda data: [decode(each) for each in _listed(data)],
        (list,),
        encode=None if encode is None else lambda value: [encode(each) for each in _items(value)],
    )


def tuple_kind(item: Kind) -> Kind:
    """Return the kind of a tuple of any length."""
    decode = item.decode
    return Kind(
        lambda data: tuple([decode(each) if decode else each for each in _listed(data)]),
        (list,),
        encode=list_kind(item).encode,
    )


def set_kind(item: Kind, build: type) -> Kind:
    """Return the kind of a set; it is stored in one order, so that equal sets give equal inputs."""
    decode, encode_item = item.decode, item.encode

    def encode(value: Any) -> list[Any]:
        items = value if isinstance(value, abc.Set) else _items(value)
        data = [encode_item(each) for each in items] if encode_item else list(items)
        try:
            return sorted(data)
        except TypeError:
            return sorted(data, key=lambda each: json.dumps(each, default=refuse_value))

    return Kind(
        lambda data: build([decode(each) if decode else each for each in _listed(data)]), (list,), encode=encode
    )


def fixed_tuple_kind(items: Sequence[Kind], build: Callable[[Any], Any]) -> Kind:
    """Return the kind of a tuple whose places have kinds of their own; `build` makes it of its values."""

    def checked(values: Any) -> Any:
        if len(values) != len(items):
            raise ValueError(f"expected {counted(len(items), 'value')}, got {len(values)}")
        return values

    def decode(data: Any) -> Any:
        pairs = zip(items, checked(_listed(data)), strict=True)
        return build(kind.decode(each) if kind.decode else each for kind, each in pairs)

    def encode(value: Any) -> list[Any]:
        pairs = zip(items, checked(_items(value)), strict=True)
        return [kind.encode(each) if kind.encode else each for kind, each in pairs]

    return Kind(decode, (list,), encode=encode)


def dict_kind(key: Kind, value: Kind) -> Kind:
    """Return the kind of a mapping whose values, and keys, are all of one kind."""
    decode_key, decode_value = key.key or key.decode, value.decode
    encode_key, encode_value = key.encode, value.encode
    if decode_key is None and decode_value is None and encode_value is None:
        return PLAIN[dict]

    def decode(data: Any) -> Any:
        return {
            decode_key(name) if decode_key else name: decode_value(each) if decode_value else each
            for name, each in _object(data).items()
        }

    def encode(mapping: Any) -> Any:
        return {
            encode_key(name) if encode_key else name: encode_value(each) if encode_value else each
            for name, each in _mapping(mapping).items()
        }

    return Kind(decode if decode_key or decode_value else None, (dict,), encode=encode)


def typed_dict_kind(kinds: dict[str, Kind]) -> Kind:
    """Return the kind of a mapping whose values have kinds of their own."""

    def decode(data: Any) -> Any:
        return {name: _decoded(kinds.get(name, ANYTHING), each) for name, each in _object(data).items()}

    def encode(mapping: Any) -> Any:
        return {name: _encoded(kinds.get(name, ANYTHING), each) for name, each in _mapping(mapping).items()}

    return Kind(decode, (dict,), encode=encode)


def literal_kind(choices: tuple[Any, ...]) -> Kind:
    """Return the kind of a few values."""
    known = {(encode_enum(each) if isinstance(each, Enum) else each): each for each in choices}
    by_text = {text if isinstance(text, str) else json.dumps(text): each for text, each in known.items()}

    def decode(data: Any) -> Any:
        if not isinstance(data, abc.Hashable) or data not in known:
            raise ValueError(f"{data!r:.80} is none of {', '.join(map(repr, choices))}")
        return known[data]

    def encode(value: Any) -> Any:
        if isinstance(value, Enum) and value in choices:
            return encode_enum(value)
        data = value if isinstance(value, JSON_TYPES) and not isinstance(value, Enum) else refuse_value(value)
        decode(data)
        return data

    return Kind(decode, tuple({type(data) for data in known}), key=lambda key: by_text[key], encode=encode)


def union_kind(members: Sequence[Kind]) -> Kind:
    """Return the kind of a value that may be of several: the first one that fits."""
    json_types = None if any(kind.json_types is None for kind in members) else _joined(members)
    encode = _union_encode(members) if any(kind.encode for kind in members) else None
    if all(kind.decode is None for kind in members):
        return Kind(None, json_types, encode=encode)

    def decode(data: Any) -> Any:
        if type(data) is dict:
            for kind in members:
                if data.keys() == getattr(kind.decode, "names", None):  # a dataclass with exactly these fields
                    return _decoded(kind, data)
        problems = []
        for kind in members:
            if not kind.fits(data):
                continue
            try:
                return _decoded(kind, data)
            except (TypeError, ValueError, LookupError) as error:
                problems.append(str(error))
        raise ValueError("; ".join(problems) or f"{data!r:.80} has none of the allowed types")

    def decode_key(text: Any) -> Any:
        for kind in members:
            try:
                found = kind.key or kind.decode
                return found(text) if found else text
            except (TypeError, ValueError, LookupError):
                continue
        raise ValueError(f"the key {text!r:.80} has none of the allowed types")

    return Kind(decode, json_types, key=decode_key, encode=encode)


def _union_encode(members: Sequence[Kind]) -> Encode:
    encoders = [kind.encode for kind in members if kind.encode]
    plain = [kind for kind in members if not kind.encode]

    def encode(value: Any) -> Any:
        if value is None and PLAIN[None] in plain:
            return None
        problems = []
        for each in encoders:
            try:
                return each(value)
            except (TypeError, ValueError, LookupError) as error:
                problems.append(str(error))
        data = value if isinstance(value, JSON_TYPES) else refuse_value(value)
        if any(kind.json_types is None or isinstance(data, kind.json_types) for kind in plain):
            return data
        raise ValueError("; ".join(dict.fromkeys(problems)))

    return encode


def _joined(members: Sequence[Kind]) -> tuple[type, ...]:
    return tuple({each for kind in members for each in kind.json_types or ()})


def _decoded(kind: Kind, data: Any) -> Any:
    return kind.decode(data) if kind.decode else data


def _encoded(kind: Kind, value: Any) -> Any:
    return kind.encode(value) if kind.encode else value


def _listed(data: Any) -> list[Any]:
    if type(data) is not list:
        raise TypeError(f"expected a list, got {data!r:.80}")
    return data


def _object(data: Any) -> dict[str, Any]:
    if type(data) is not dict:
        raise TypeError(f"expected an object, got {data!r:.80}")
    return data


def _items(value: Any) -> Sequence[Any]:
    if isinstance(value, list | tuple):
        return value
    return _listed(value if isinstance(value, JSON_TYPES) else refuse_value(value))


def _mapping(value: Any) -> abc.Mapping[Any, Any]:
    if isinstance(value, abc.Mapping):
        return value
    return _object(value if isinstance(value, JSON_TYPES) else refuse_value(value))
