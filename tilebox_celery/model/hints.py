"""From a type annotation to the functions that turn a value of that type into JSON data, and back."""

import dataclasses
import json
import sys
import types
import typing
from collections import abc
from dataclasses import is_dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NewType, TypeVar, Union

from tilebox_celery.model.codecs import (
    CODECS,
    JSON_TYPES,
    TEXT_CODECS,
    Decode,
    Encode,
    decode_bytes,
    decode_enum,
    decode_text,
    encode_bytes,
    encode_data,
    encode_enum,
    encode_text,
    is_message,
    refuse_value,
    stored_fields,
)
from tilebox_celery.model.kinds import (
    ANYTHING,
    PLAIN,
    Kind,
    dict_kind,
    fixed_tuple_kind,
    list_kind,
    literal_kind,
    set_kind,
    tuple_kind,
    typed_dict_kind,
    union_kind,
)
from tilebox_celery.model.libraries import LibraryCodec, library_codec, no_form

Scope = dict[Any, Any]
"""What names (to classes) and type variables (to kinds) mean that an annotation uses."""

_INIT_VAR = dataclasses._FIELD_INITVAR  # type: ignore[attr-defined] # fields() leaves them out, and nothing else tells

_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection)
_SETS = (set, abc.Set, abc.MutableSet)
_DICTS = (dict, abc.Mapping, abc.MutableMapping)


def field_kinds(cls: type, scope: Scope) -> dict[str, Kind]:
    """Find out for each stored field of a dataclass how to decode it.

    Args:
        cls: The dataclass.
        scope: What names that are not global, and type variables, mean.

    Raises:
        TypeError: An annotation cannot be resolved, or has no JSON form; the message names the field.
    """
    for name, field in cls.__dataclass_fields__.items():  # type: ignore[attr-defined] # a dataclass has it
        if field._field_type is _INIT_VAR:
            raise TypeError(
                f"field {name!r}: an InitVar is gone once the object is made, so no runner could make it again; "
                "make it a field"
            )
    hints = resolve_hints(cls, scope)
    kinds = {}
    for field in stored_fields(cls):
        try:
            kind = kind_of(hints.get(field.name, field.type), scope)
            # many write `when: datetime = None`, which type checkers refuse and Python does not
            kinds[field.name] = union_kind([PLAIN[None], kind]) if field.default is None and kind.decode else kind
        except TypeError as error:
            raise TypeError(f"field {field.name!r}: {error}") from None
    return kinds


def kind_of(hint: Any, scope: Scope) -> Kind:  # noqa: PLR0911 # one return per kind of annotation
    """Find out how to decode one annotation.

    Raises:
        TypeError: The type has no JSON form.
    """
    if isinstance(hint, abc.Hashable) and hint in PLAIN:
        return PLAIN[hint]
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
        return literal_kind(arguments)
    if origin is Union or origin is types.UnionType:
        return union_kind([kind_of(argument, scope) for argument in arguments])
    if origin is not None:
        return _container(origin, arguments, scope)
    if isinstance(hint, type):
        return _class(hint, scope)
    raise TypeError(f"the annotation {hint!r} has no JSON form")


def _class(cls: type, scope: Scope) -> Kind:  # noqa: PLR0911 # one return per kind of class
    for base in cls.__mro__:
        if base in CODECS:
            return _registered(base)
        if codec := library_codec(cls, base):
            return _library(cls, codec)
        if base in TEXT_CODECS:
            return Kind(decode_text(cls, base), (str,), encode=encode_text(cls, base))
    if issubclass(cls, Enum):
        return _enum(cls)
    if is_dataclass(cls):
        return _fields(FieldsDecoder.of(cls, scope))
    if is_message(cls):
        return _message(cls)
    if typing.is_typeddict(cls):
        return typed_dict_kind({name: kind_of(hint, scope) for name, hint in resolve_hints(cls, scope).items()})
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        hints = resolve_hints(cls, scope)
        make: Any = cls._make  # type: ignore[attr-defined] # a NamedTuple has it
        return fixed_tuple_kind([kind_of(hints.get(name, Any), scope) for name in cls._fields], make)
    if issubclass(cls, str | bool | int | float):
        base = next(base for base in (str, bool, int, float) if issubclass(cls, base))
        return Kind(cls, PLAIN[base].json_types)
    return _container(cls, (), scope)


def _registered(cls: type) -> Kind:
    encode, decode = CODECS[cls]

    def checked(value: Any) -> Any:
        if isinstance(value, cls):
            return encode(value)
        return value if isinstance(value, JSON_TYPES) else refuse_value(value)

    return Kind(decode, encode=checked)


def _library(cls: type, codec: LibraryCodec) -> Kind:
    def encode(value: Any) -> Any:
        return codec.encode(value) if isinstance(value, cls) else encode_data(value, codec.decode)

    return Kind(codec.decode, codec.json_types, encode=encode)


def _enum(cls: type[Enum]) -> Kind:
    decode = decode_enum(cls)
    data = {member: encode_enum(member) for member in cls}
    by_text = {each if isinstance(each, str) else json.dumps(each): member for member, each in data.items()}

    def encode(value: Any) -> Any:
        return encode_enum(value) if isinstance(value, cls) else encode_data(value, decode)

    return Kind(decode, tuple({type(each) for each in data.values()}), key=lambda key: by_text[key], encode=encode)


def _message(cls: Any) -> Kind:
    def decode(text: str) -> Any:
        return cls.FromString(decode_bytes(text))

    def encode(value: Any) -> Any:
        return encode_bytes(value.SerializeToString()) if isinstance(value, cls) else encode_data(value, decode)

    return Kind(decode, (str,), encode=encode)


def _container(origin: type, arguments: tuple[Any, ...], scope: Scope) -> Kind:
    if origin in _DICTS:
        key, value = arguments or (Any, Any)
        return dict_kind(kind_of(key, scope), kind_of(value, scope))
    if origin is tuple and arguments and arguments[-1] is not ...:
        return fixed_tuple_kind([kind_of(argument, scope) for argument in arguments], tuple)
    if is_dataclass(origin):
        bound = tuple(kind_of(argument, scope) for argument in arguments)
        return _fields(FieldsDecoder.of(origin, scope, bound))
    if origin not in (*_LISTS, *_SETS, frozenset, tuple):
        raise no_form(origin)
    inner = kind_of(arguments[0], scope) if arguments else ANYTHING
    if origin in _LISTS:
        return list_kind(inner)
    if origin in _SETS or origin is frozenset:
        return set_kind(inner, set if origin in _SETS else frozenset)
    return tuple_kind(inner)


def _fields(decoder: "FieldsDecoder") -> Kind:
    return Kind(decoder, (dict,), encode=decoder.encode)


class FieldsDecoder:
    """Turns one nested dataclass into a JSON object and back; made before its fields are known, for recursive types."""

    _known: typing.ClassVar[dict[tuple[type, tuple[Kind, ...]], "FieldsDecoder"]] = {}

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.names: frozenset[str] = frozenset()
        self.decoders: dict[str, Decode] = {}
        self.encoders: dict[str, Encode | None] = {}

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
            decoder.decoders = {name: kind.decode for name, kind in kinds.items() if kind.decode}
            decoder.encoders = {name: kind.encode for name, kind in kinds.items()}
        return decoder

    def __call__(self, data: Any) -> Any:
        """Build the dataclass."""
        if type(data) is not dict:
            raise TypeError(f"expected an object for {self.cls.__name__}, got {data!r:.80}")
        self._check_names(data)
        values = dict(data)
        for name, decode in self.decoders.items():
            if name in values:
                values[name] = self._converted(name, decode, values[name])
        return self.cls(**values)

    def encode(self, value: Any) -> dict[str, Any]:
        """Make the object: of the dataclass, or of a mapping of its fields."""
        cls = type(value)
        if isinstance(value, self.cls):
            if cls is not self.cls and {field.name for field in stored_fields(cls)} != self.names:
                refuse_value(value)
            values = {name: getattr(value, name) for name in self.encoders}
        elif isinstance(value, abc.Mapping):
            self._check_names(value)
            values = dict(value)
        else:
            data = value if isinstance(value, JSON_TYPES) else refuse_value(value)
            raise TypeError(f"expected a {self.cls.__name__}, got {data!r:.80}")
        for name, each in values.items():
            if encode := self.encoders[name]:
                values[name] = self._converted(name, encode, each)
        return values

    def _check_names(self, data: Any) -> None:
        if unknown := data.keys() - self.names:
            raise ValueError(f"{self.cls.__name__} has no field {', '.join(map(repr, sorted(unknown)))}")

    def _converted(self, name: str, convert: Decode, value: Any) -> Any:
        try:
            return convert(value)
        except (TypeError, ValueError, LookupError) as error:
            raise ValueError(f"field {name!r} of {self.cls.__name__}: {error}") from error


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
