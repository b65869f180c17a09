"""Read fields and conditions as people type them on the command line."""

import json
import operator
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tilebox_celery.datasets.field_forms import read_fields
from tilebox_celery.datasets.schema import Field, FieldType, Schema
from tilebox_celery.errors import ArgumentError

if TYPE_CHECKING:
    from tilebox_celery.datasets.filters import Expression

_CONDITION = re.compile(
    r"\s*(?P<name>\w+)\s*(?:(?P<operator>==|!=|<=|>=|=|<|>)\s*(?P<value>.*)|(?P<null>is (?:not )?null)\s*)",
    re.IGNORECASE,
)

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_NULLS: dict[str, Callable[[Any], Any]] = {
    "is_null": operator.methodcaller("is_null"),
    "is_not_null": operator.methodcaller("is_not_null"),
}


def read_field_options(texts: Sequence[str]) -> tuple[Field, ...]:
    """Return fields from texts such as ``cloud_cover:double``.

    Raises:
        ArgumentError: A text is no name and type.

    Example:
        >>> [(each.name, each.is_array) for each in read_field_options(["name:string", "bands:list[int64]"])]
        [('name', False), ('bands', True)]
    """
    pairs = []
    for text in texts:
        name, colon, type_ = text.partition(":")
        if not colon:
            raise ArgumentError(f"--field takes NAME:TYPE, such as cloud_cover:double, not {text!r}.")
        pairs.append((name, type_))
    return read_fields(pairs)


def with_new(present: Schema | None, new: Sequence[Field]) -> tuple[Field, ...]:
    """Return the fields that a dataset has and new ones; one of the same name and type keeps its description.

    Example:
        >>> from tilebox_celery.datasets.schema import DatasetKind
        >>> schema = Schema(DatasetKind.TEMPORAL, read_field_options(["name:string", "bands:list[int64]"]))
        >>> [each.name for each in with_new(schema, read_field_options(["name:string", "orbit:int64"]))]
        ['name', 'bands', 'orbit']
    """
    fields = {} if present is None else dict(present.by_name)
    for each in new:
        old = fields.get(each.name)
        if old is None or each.description or (old.type, old.is_array) != (each.type, each.is_array):
            fields[each.name] = each
    return tuple(fields.values())


def read_conditions(texts: Sequence[str], schema: Schema) -> "Expression | None":
    """Return a filter from texts such as ``cloud_cover < 20``, all of which must hold.

    Args:
        texts: A field, one of = == != < <= > >= and a value, or a field and ``is null`` or ``is not null``.
        schema: Which says what type the value has.

    Raises:
        ArgumentError: A text is no condition, or the value does not fit the field.
    """
    from tilebox_celery.datasets.filters import field

    found: Any = None
    for name, sign, value in (_parts(text, schema) for text in texts):
        one = _NULLS[sign](field(name)) if sign in _NULLS else _OPERATORS[sign](field(name), value)
        found = one if found is None else found & one
    return found  # type: ignore[no-any-return]  # a condition, or None without texts


def conditions_code(texts: Sequence[str], schema: Schema) -> str:
    """Return the Python of the filter that `read_conditions` gives.

    Example:
        >>> from tilebox_celery.datasets.schema import DatasetKind
        >>> schema = Schema(DatasetKind.TEMPORAL, read_field_options(["cloud_cover:double", "platform:string"]))
        >>> conditions_code(["cloud_cover<20", "platform is not null"], schema)
        '(field("cloud_cover") < 20.0) & (field("platform").is_not_null())'
    """
    codes = []
    for name, sign, value in (_parts(text, schema) for text in texts):
        subject = f"field({json.dumps(name)})"
        shown = repr(value) if not isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        codes.append(f"{subject}.{sign}()" if sign in _NULLS else f"{subject} {sign} {shown}")
    return codes[0] if len(codes) == 1 else " & ".join(f"({each})" for each in codes)


def _parts(text: str, schema: Schema) -> tuple[str, str, Any]:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise ArgumentError(f"--where takes FIELD OPERATOR VALUE, such as 'cloud_cover < 20', not {text!r}.")
    if match["null"]:
        return match["name"], match["null"].lower().replace(" ", "_"), None
    sign = "==" if match["operator"] == "=" else match["operator"]
    return match["name"], sign, _value(match["name"], match["value"].strip(), schema)


def _number(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _value(name: str, text: str, schema: Schema) -> Any:
    field = schema.by_name.get(name)
    bare = text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
    if field is None:
        return bare  # the store names the field that does not exist
    try:
        match field.type:
            case FieldType.INT32 | FieldType.INT64 | FieldType.UINT64:
                return _number(bare)
            case FieldType.FLOAT | FieldType.DOUBLE:
                return float(bare)
            case FieldType.BOOL:
                return {"true": True, "false": False}[bare.lower()]
    except (ValueError, KeyError):
        raise ArgumentError(
            f"--where compares {name}, which is {field.type}, with {bare!r}, which is not: "
            "it takes one comparison, and may be given several times."
        ) from None
    return bare
