"""Single values of numpy and pandas as task inputs: numbers, times and spans."""

from importlib import import_module
from typing import Any

from tilebox_celery.model.libraries import LibraryCodec, no_form

_JSON: dict[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (float, int), str: (str,)}


def scalar_codec(cls: Any) -> LibraryCodec:
    """Build the codec of one class of numpy's scalars.

    Raises:
        TypeError: JSON has no exact form for it, or it is abstract.
    """
    numpy = import_module("numpy")
    if issubclass(cls, numpy.datetime64):
        return _datetime64(cls)
    if issubclass(cls, numpy.timedelta64):
        return _timedelta64(cls)
    try:
        plain = type(cls().item())
    except TypeError:  # numpy.floating and other classes without instances
        raise no_form(cls) from None
    if plain not in _JSON:
        raise no_form(cls)

    def decode(data: Any) -> Any:
        if type(data) not in _JSON[plain]:
            raise TypeError(f"expected a {cls.__name__}, got {data!r:.80}")
        try:
            with numpy.errstate(over="raise"):
                return cls(data)
        except ArithmeticError as error:
            raise ValueError(f"{data!r:.80} is out of range of a {cls.__name__}") from error

    return LibraryCodec(lambda value: value.item(), decode, _JSON[plain])


def timestamp_codec(cls: Any) -> LibraryCodec:
    """Build the codec of pandas.Timestamp: ISO 8601 with up to nine digits of a second."""
    return LibraryCodec(lambda value: value.isoformat(), lambda data: _read(cls, data), (str,))


def timedelta_codec(cls: Any) -> LibraryCodec:
    """Build the codec of pandas.Timedelta: an ISO 8601 duration with up to nine digits of a second."""
    return LibraryCodec(lambda value: value.isoformat(), lambda data: _read(cls, data), (str,))


def _datetime64(cls: Any) -> LibraryCodec:
    def encode(value: Any) -> str:
        return str(_not_missing(value))

    def decode(data: Any) -> Any:
        return _read(cls, data.removesuffix("Z") if isinstance(data, str) else data)  # numpy knows no time zones

    return LibraryCodec(encode, decode, (str,))


def _timedelta64(cls: Any) -> LibraryCodec:
    numpy = import_module("numpy")

    def encode(value: Any) -> list[Any]:
        unit, step = numpy.datetime_data(_not_missing(value).dtype)
        return [int(value.astype("int64")) * step, unit]

    def decode(data: Any) -> Any:
        match data:
            case [int(count), str(unit)]:
                return cls(count, unit)
        raise TypeError(f"expected a number and its unit, such as [5, 'ns'], got {data!r:.80}")

    return LibraryCodec(encode, decode, (list,))


def _read(cls: Any, data: Any) -> Any:
    if not isinstance(data, str):
        raise TypeError(f"expected the text of a {cls.__name__}, got {data!r:.80}")
    return _not_missing(cls(data))


def _not_missing(value: Any) -> Any:
    if str(value) == "NaT":
        raise ValueError("NaT is no time; use None for a missing one")
    return value
