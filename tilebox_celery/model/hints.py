"""From a type annotation to the function that turns JSON back into a value of that type."""

import json
import sys
import types
import typing
from collections import abc
from dataclasses import is_dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypeVar, Union

from tilebox_celery.model.codecs import (
    CODECS,
    TEXT_CODECS,
    Decode,
    decode_bytes,
    decode_enum,
    decode_text,
    encode_enum,
    is_message,
    stored_fields,
)
from tilebox_celery.model.text import counted


class Kind(NamedTuple):
    """What an annotation says about the JSON value."""

    decode: Decode | None = None
    """Turns JSON into the value; None: it is the value already."""
    json_types: tuple[type, ...] | None = None
    """The JSON types that fit; None: all of them."""
    key: Decode | None = None
    """Turns a key of a JSON object back; None: the same as `decode`."""
    classes: tuple[type, ...] = ()
    """What `decode` makes that JSON does not know."""
    parts: tuple[Any, ...] = ()
    """The kinds, or decoders of dataclasses, that this one is made of."""

    def fits(self, data: Any) -> bool:
        """Return whether JSON of this type can be meant at all."""
        return self.json_types is None or type(data) in self.json_types


def decoded_classes(kind: Kind) -> tuple[type, ...]:
    """List the classes beyond JSON's own that come back, somewhere in a value of this kind, as what they were."""
    found: dict[type, None] = {}
    seen: set[int] = set()
    left: list[Any] = [kind]
    while left:
        part = left.pop()
        if id(part) not in seen:
            seen.add(id(part))
            found.update(dict.fromkeys(part.classes))
            left += part.parts
    return tuple(found)


Scope = dict[Any, Any]
"""What names (to classes) and type variables (to kinds) mean that an annotation uses."""

ANYTHING = Kind()
_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)
_SETS = (set, abc.Set, abc.MutableSet)
_DICTS = (dict, abc.Mapping, abc.MutableMapping)
_PLAIN: dict[Any, Kind] = {
    str: Kind(None, (str,)),
    bool: Kind(None, (bool,), key=lambda key: {"true": True, "false": False}[key]),
    int: Kind(None, (int,), key=int),
    float: Kind(None, (float, int), key=float),
    None: Kind(None, (type(None),), key=lambda key: {"null": None}[key]),
    type(None): Kind(None, (type(None),), key=lambda key: {"null": None}[key]),
    Any: ANYTHING,
    object: ANYTHING,
    list: Kind(None, (list,)),
    dict: Kind(None, (dict,), classes=(abc.Mapping,)),
}


def field_kinds(cls: type, scope: Scope) -> dict[str, Kind]:
    """Find out for each stored field of a dataclass how to decode it.

    Args:
        cls: The dataclass.
        scope: What names that are not global, and type variables, mean.

    Raises:
        TypeError: An annotation cannot be resolved, or has no JSON form; the message names the field.
    """
    hints = resolve_hints(cls, scope)
    kinds = {}
    for field in stored_fields(cls):
        try:
            kind = kind_of(hints.get(field.name, field.type), scope)
            # many write `when: datetime = None`, which type checkers refuse and Python does not
            kinds[field.name] = _union([_PLAIN[None], kind]) if field.default is None and kind.decode else kind
        except TypeError as error:
            raise TypeError(f"field {field.name!r}: {error}") from None
    return kinds


def kind_of(hint: Any, scope: Scope) -> Kind:  # noqa: PLR0911 # one return per kind of annotation
    """Find out how to decode one annotation.

    Raises:
        TypeError: The type has no JSON form.
    """
    if isinstance(hint, abc.Hashable) and hint in _PLAIN:
        return _PLAIN[hint]
    if isinstance(hint, NewType):
        return kind_of(hint.__supertype__, scope)
    if isinstance(hint, TypeVar):
        return scope.get(hint) or (ANYTHING if hint.__bound__ is None else kind_of(hint.__bound__, scope))
    if hasattr(hint, "__value__"):  # type X = ...
        return kind_of(hint.__value__, scope)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated or origin in (typing.Required, typing.NotRequired):
        return kind_of(arguments[0], scope)
    if origin is Literal:
        return _literal(arguments)
    if origin is Union or origin is types.UnionType:
        return _union([kind_of(argument, scope) for argument in arguments])
    if origin is not None:
        return _container(origin, arguments, scope)
    if isinstance(hint, type):
        return _class(hint, scope)
    raise TypeError(f"the annotation {hint!r} has no JSON form")


def _class(cls: type, scope: Scope) -> Kind:  # noqa: PLR0911 # one return per kind of class
    for base in cls.__mro__:
        if base in CODECS:
            return Kind(CODECS[base][1], classes=(base,))
        if base in TEXT_CODECS:
            return Kind(decode_text(cls, base), (str,), classes=(base,))
    if issubclass(cls, Enum):
        data_types = {type(encode_enum(member)) for member in cls}
        texts = ((encode_enum(member), member) for member in cls)
        by_text = {str(data) if isinstance(data, str) else json.dumps(data): member for data, member in texts}
        return Kind(decode_enum(cls), tuple(data_types), key=lambda key: by_text[key], classes=(cls,))
    if is_dataclass(cls):
        return _fields(FieldsDecoder.of(cls, scope))
    if is_message(cls):
        return Kind(lambda text: cls.FromString(decode_bytes(text)), (str,), classes=(cls,))  # type: ignore[attr-defined] # is_message
    if typing.is_typeddict(cls):
        return _typed_dict(cls, scope)
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _named_tuple(cls, scope)
    if issubclass(cls, str | bool | int | float):
        base = next(base for base in (str, bool, int, float) if issubclass(cls, base))
        return Kind(cls, _PLAIN[base].json_types)
    return _container(cls, (), scope)


def _container(origin: type, arguments: tuple[Any, ...], scope: Scope) -> Kind:
    if origin in _DICTS:
        key, value = arguments or (Any, Any)
        return _dict(kind_of(key, scope), kind_of(value, scope))
    if origin is tuple and arguments and arguments[-1] is not ...:
        return _fixed_tuple([kind_of(argument, scope) for argument in arguments], tuple)
    inner = kind_of(arguments[0], scope) if arguments else ANYTHING
    item = inner.decode
    if origin in _LISTS:
        decode = None if item is None else lambda data: [item(each) for each in _listed(data)]
        return Kind(decode, (list,), parts=(inner,))
    if origin in _SETS or origin is frozenset or origin is tuple:
        build: type = set if origin in _SETS else origin
        return Kind(
            lambda data: build([item(each) if item else each for each in _listed(data)]),
            (list,),
            classes=() if origin is tuple else (abc.Set,),
            parts=(inner,),
        )
    if is_dataclass(origin):
        bound = tuple(kind_of(argument, scope) for argument in arguments)
        return _fields(FieldsDecoder.of(origin, scope, bound))
    raise TypeError(
        f"{getattr(origin, '__name__', origin)} has no JSON form; use a dataclass, or teach it with register_codec"
    )


def _fields(decoder: "FieldsDecoder") -> Kind:
    return Kind(decoder, (dict,), parts=(decoder,))


def _dict(key: Kind, value: Kind) -> Kind:
    decode_key, decode_value = key.key or key.decode, value.decode
    if decode_key is None and decode_value is None:
        return _PLAIN[dict]

    def decode(data: Any) -> Any:
        if type(data) is not dict:
            raise TypeError(f"expected an object, got {data!r:.80}")
        return {
            decode_key(name) if decode_key else name: decode_value(each) if decode_value else each
            for name, each in data.items()
        }

    return Kind(decode, (dict,), classes=(abc.Mapping,), parts=(key, value))


def _fixed_tuple(items: list[Kind], build: Decode) -> Kind:
    def decode(data: Any) -> Any:
        if len(_listed(data)) != len(items):
            raise ValueError(f"expected {counted(len(items), 'value')}, got {len(data)}")
        return build(kind.decode(each) if kind.decode else each for kind, each in zip(items, data, strict=True))

    return Kind(decode, (list,), parts=tuple(items))


def _named_tuple(cls: Any, scope: Scope) -> Kind:
    hints = resolve_hints(cls, scope)
    return _fixed_tuple([kind_of(hints.get(name, Any), scope) for name in cls._fields], cls._make)


def _typed_dict(cls: Any, scope: Scope) -> Kind:
    kinds = {name: kind_of(hint, scope) for name, hint in resolve_hints(cls, scope).items()}
    decoders = {name: kind.decode for name, kind in kinds.items() if kind.decode}

    def decode(data: Any) -> Any:
        if type(data) is not dict:
            raise TypeError(f"expected an object, got {data!r:.80}")
        return {name: decoders[name](each) if name in decoders else each for name, each in data.items()}

    return Kind(decode, (dict,), classes=(abc.Mapping,), parts=tuple(kinds.values()))


def _literal(choices: tuple[Any, ...]) -> Kind:
    known = {(encode_enum(each) if isinstance(each, Enum) else each): each for each in choices}
    by_text = {text if isinstance(text, str) else json.dumps(text): each for text, each in known.items()}

    def decode(data: Any) -> Any:
        if not isinstance(data, abc.Hashable) or data not in known:
            raise ValueError(f"{data!r:.80} is none of {', '.join(map(repr, choices))}")
        return known[data]

    classes = tuple({type(each) for each in choices})
    return Kind(decode, tuple({type(data) for data in known}), key=lambda key: by_text[key], classes=classes)


def _union(members: list[Kind]) -> Kind:
    """Take the first member that fits; among dataclasses the one with exactly these fields."""
    json_types = None if any(kind.json_types is None for kind in members) else _joined(members)
    if all(kind.decode is None for kind in members):
        return Kind(None, json_types, parts=tuple(members))
    objects = [kind.decode for kind in members if isinstance(kind.decode, FieldsDecoder)]

    def decode(data: Any) -> Any:
        if type(data) is dict:
            for exact in objects:
                if data.keys() == exact.names:
                    return exact(data)
        problems = []
        for kind in members:
            if not kind.fits(data):
                continue
            if kind.decode is None:
                return data
            try:
                return kind.decode(data)
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

    return Kind(decode, json_types, key=decode_key, parts=tuple(members))


def _joined(members: list[Kind]) -> tuple[type, ...]:
    return tuple({each for kind in members for each in kind.json_types or ()})


def _listed(data: Any) -> list[Any]:
    if type(data) is not list:
        raise TypeError(f"expected a list, got {data!r:.80}")
    return data


class FieldsDecoder:
    """Builds one nested dataclass from a JSON object; made before its fields are known, so types may be recursive."""

    _known: typing.ClassVar[dict[tuple[type, tuple[Kind, ...]], "FieldsDecoder"]] = {}

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.names: frozenset[str] = frozenset()
        self.classes = (cls,)
        self.parts: tuple[Kind, ...] = ()
        self.decoders: dict[str, Decode] = {}

    @classmethod
    def of(cls, target: type, scope: Scope, arguments: tuple[Kind, ...] = ()) -> "FieldsDecoder":
        """Return the decoder of a dataclass, for a generic one with the kinds of its type arguments."""
        decoder = cls._known.get((target, arguments))
        if decoder is None:
            decoder = cls._known[target, arguments] = FieldsDecoder(target)
            try:
                variables = dict(zip(getattr(target, "__parameters__", ()), arguments, strict=False))
                kinds = field_kinds(target, {**scope, **variables})
            except BaseException:
                del cls._known[target, arguments]
                raise
            decoder.names = frozenset(kinds)
            decoder.parts = tuple(kinds.values())
            decoder.decoders = {name: kind.decode for name, kind in kinds.items() if kind.decode}
        return decoder

    def __call__(self, data: Any) -> Any:
        """Build the dataclass."""
        if type(data) is not dict:
            raise TypeError(f"expected an object for {self.cls.__name__}, got {data!r:.80}")
        if unknown := data.keys() - self.names:
            raise ValueError(f"{self.cls.__name__} has no field {', '.join(map(repr, sorted(unknown)))}")
        values = dict(data)
        for name, decode in self.decoders.items():
            if name in values:
                try:
                    values[name] = decode(values[name])
                except (TypeError, ValueError, LookupError) as error:
                    raise ValueError(f"field {name!r} of {self.cls.__name__}: {error}") from error
        return self.cls(**values)


def resolve_hints(cls: type, scope: Scope) -> dict[str, Any]:
    """Evaluate the annotations of a class, also those that name classes local to a function.

    Raises:
        TypeError: A name cannot be found.
    """
    names: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        names |= vars(sys.modules.get(base.__module__, types))
    try:
        return typing.get_type_hints(cls, include_extras=True)
    except NameError:
        pass
    try:
        return typing.get_type_hints(cls, names, {**scope, cls.__name__: cls}, include_extras=True)
    except NameError as error:
        raise TypeError(
            f"an annotation of {cls.__name__} names {error.name!r}, which is not importable there"
        ) from None
