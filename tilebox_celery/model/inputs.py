"""Turn a task into the bytes that the ledger stores as its input, and back.

The form is the vendor's: no field is empty, one field is its bare JSON value (for a protobuf message its bytes),
several fields are a JSON object in field order.
"""

import json
import math
from collections.abc import Callable
from dataclasses import MISSING
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from tilebox_celery.errors import InputError
from tilebox_celery.model.codecs import Decode, Encode, is_message, refuse_value, register_codec, stored_fields
from tilebox_celery.model.hints import field_kinds, resolve_hints
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.task import Task, task_identifier

if TYPE_CHECKING:
    from tilebox_celery.model.kinds import Kind

__all__ = ["deserialize", "register_codec", "serialize"]

AnyTask = TypeVar("AnyTask", bound=Task)

_NATIVE = (str, int, float, bool, type(None))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
# scan_once skips the two searches for white space of decode(); our own inputs have none around them
_scan: Callable[[str, int], tuple[Any, int]] = _decoder.scan_once  # type: ignore[attr-defined] # set in __init__


def serialize(task: Task) -> bytes:
    """Turn the fields of a task into its stored input.

    Args:
        task: The task; later changes of it have no effect on the result.

    Raises:
        InputError: A field cannot be written as JSON; the message names class and field.

    Example:
        >>> class Greet(Task):
        ...     name: str
        ...     times: int = 1
        >>> serialize(Greet("World"))
        b'{"name": "World", "times": 1}'
    """
    cls = type(task)
    codec = _CODECS.get(cls) or _codec(cls)
    return codec.dump(task)


def deserialize(cls: type[AnyTask], data: bytes, submitted: TaskIdentifier | None = None) -> AnyTask:
    """Build a task from its stored input.

    Args:
        cls: The registered class.
        data: What `serialize` returned, perhaps for an older version of the class.
        submitted: The identifier under which the task was submitted, for messages.

    Raises:
        InputError: The input is not JSON or does not fit the fields of the class.

    Example:
        >>> class Greet(Task):
        ...     name: str
        ...     times: int = 1
        >>> deserialize(Greet, b'"World"')
        Greet(name='World', times=1)
    """
    codec = _CODECS.get(cls) or _codec(cls)
    task: AnyTask
    try:
        task = codec.load(data)
    except _UnfitError as error:
        reason = error.explain(cls, submitted)
        raise InputError(f"Failed to deserialize input of task {cls.__name__}: {reason}") from error.__cause__
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise InputError(f"Failed to deserialize input of task {cls.__name__}: {error}") from error
    return task


class _UnfitError(Exception):
    """The input does not fit the class; `unknown` names fields that the class does not have."""

    def __init__(self, reason: str, unknown: bool = False) -> None:
        super().__init__(reason)
        self.unknown = unknown

    def explain(self, cls: type[Task], submitted: TaskIdentifier | None) -> str:
        reason = str(self)
        if submitted is None:
            return f"{reason}."
        mine = task_identifier(cls)
        hint = "; register the newer class" if self.unknown and mine != submitted else ""
        return f"{reason} (submitted as {submitted}, registered as {mine}){hint}."


class _Codec:
    """What is known about one task class; `dump` and `load` are chosen by its number of fields."""

    __slots__ = (
        "cls",
        "decoders",
        "dump",
        "encoders",
        "first",
        "kinds",
        "load",
        "message",
        "names",
        "required",
        "stored",
        "values",
    )

    def __init__(self, cls: type[Task]) -> None:
        self.cls = cls
        stored = stored_fields(cls)
        names = [field.name for field in stored]
        self.kinds: dict[str, Kind] = field_kinds(cls, cls.__local_types__)
        self.decoders: list[tuple[str, Decode]] = [
            (name, kind.decode) for name, kind in self.kinds.items() if kind.decode
        ]
        self.encoders: list[tuple[str, Encode]] = [
            (name, kind.encode) for name, kind in self.kinds.items() if kind.encode
        ]
        self.names = frozenset(names)
        self.required = frozenset(
            field.name for field in stored if field.default is MISSING and field.default_factory is MISSING
        )
        self.first = names[0] if names else ""
        self.message = _message_class(cls, self.first) if names else None
        self.values: Callable[[Any], Any] = attrgetter(*names) if names else lambda _: ()
        self.dump: Callable[[Any], bytes] = (
            (self._dump_none, self._dump_one)[len(names)] if len(names) < 2 else (self._dump_many)
        )
        self.load: Callable[[bytes], Any] = (
            (self._load_none, self._load_one)[len(names)] if len(names) < 2 else (self._load_many)
        )

    def _dump_none(self, task: Task) -> bytes:
        return b""

    def _dump_one(self, task: Task) -> bytes:
        value = self.values(task)
        if self.message is not None and value is not None:
            data: bytes = value.SerializeToString()
            return data
        try:
            return _to_json(self.encoders[0][1](value) if self.encoders else value).encode()
        except (TypeError, ValueError, LookupError, RecursionError):
            return self._encode_slowly({self.first: value})[self.first].encode()

    def _dump_many(self, task: Task) -> bytes:
        values = dict(zip(self.kinds, self.values(task), strict=True))
        try:
            data = values.copy() if self.encoders else values
            for name, encode in self.encoders:
                data[name] = encode(data[name])
            return _to_json(data).encode()
        except (TypeError, ValueError, LookupError, RecursionError):
            parts = self._encode_slowly(values)
            return ("{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in parts.items()) + "}").encode()

    def _encode_slowly(self, values: dict[str, Any]) -> dict[str, str]:
        """Encode field by field: for keys that are not text, and to say which field is wrong and why."""
        texts = {}
        for name, value in values.items():
            encode = self.kinds[name].encode
            try:
                texts[name] = json.dumps(_plain(encode(value) if encode else value), allow_nan=False)
            except (TypeError, ValueError, LookupError, RecursionError) as error:
                reason = "it contains itself or is nested too deeply" if isinstance(error, RecursionError) else error
                text = f"Task {self.cls.__name__}: the field {name!r} cannot be stored: {reason}."
                raise InputError(text) from error
        return texts

    def _load_none(self, data: bytes) -> Any:
        if data and (value := _parse(data)) != {}:
            raise (
                _not_known(value)
                if type(value) is dict
                else _UnfitError("the class has no fields, the input has one", True)
            )
        return self.cls()

    def _load_one(self, data: bytes) -> Any:
        name = self.first
        if self.message is not None:
            return self.cls(**{name: self.message.FromString(data)})
        if not data:
            return self._build({})
        value = _parse(data)
        if type(value) is dict and not self.kinds[name].fits(value):
            return self._build(value)  # a class that had more fields, or a prototype that was written as an object
        return self._build({name: value})

    def _load_many(self, data: bytes) -> Any:
        if not data:
            return self._build({})  # from a version without fields
        try:
            value = _parse(data)
        except ValueError:
            if self.message is not None and self.required <= {self.first}:
                return self.cls(**{self.first: self.message.FromString(data)})
            raise
        if type(value) is dict and (value.keys() & self.names or not self._takes_bare(value)):
            return self._build(value)
        if not self._takes_bare(value):
            raise _UnfitError(
                f"expected an object with the fields {', '.join(map(repr, self.kinds))}, got {value!r:.80}"
            )
        return self._build({self.first: value})  # from a version with one field

    def _takes_bare(self, value: Any) -> bool:
        return self.required <= {self.first} and self.kinds[self.first].fits(value)

    def _build(self, values: dict[str, Any]) -> Any:
        if values.keys() != self.names:
            if values.keys() - self.names:
                raise _not_known(values.keys() - self.names)
            if missing := self.required - values.keys():
                raise _UnfitError(f"the field {min(missing)!r} is missing")
        for name, decode in self.decoders:
            if name in values:
                try:
                    values[name] = decode(values[name])
                except (TypeError, ValueError, LookupError) as error:
                    raise _UnfitError(f"field {name!r}: {error}") from error
        return self.cls(**values)


_CODECS: dict[type[Task], _Codec] = {}


def _codec(cls: type[Task]) -> _Codec:
    try:
        codec = _CODECS[cls] = _Codec(cls)
    except TypeError as error:
        raise InputError(f"Task {cls.__name__}: {error}.") from error
    except RecursionError as error:
        raise InputError(f"Task {cls.__name__}: a type that contains itself must be a dataclass.") from error
    return codec


def _message_class(cls: type[Task], name: str) -> Any:
    hint = resolve_hints(cls, cls.__local_types__).get(name)
    return hint if is_message(hint) else None


def _not_known(names: Any) -> _UnfitError:
    return _UnfitError(f"the class has no field {', '.join(map(repr, sorted(names)))}", unknown=True)


def _parse(data: bytes) -> Any:
    text = data.decode()
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return _decoder.decode(text)
    return value if end == len(text) else _decoder.decode(text)


_to_json: Callable[[Any], str] = json.JSONEncoder(allow_nan=False, default=refuse_value).encode


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not JSON; use None for a missing number")
    if isinstance(value, _NATIVE):
        return value
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {_plain_key(key): _plain(each) for key, each in value.items()}
    return _plain(refuse_value(value))


def _plain_key(key: Any) -> Any:
    plain = _plain(key)
    if not isinstance(plain, _NATIVE):
        raise TypeError(f"the key {key!r:.80} is not JSON")
    return plain
