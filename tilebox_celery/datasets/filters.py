"""Filter datapoints by their fields: expressions with three-valued logic, compiled to SQL with bound parameters."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tilebox_celery.datasets.filter_values import bound_comparison, value_column
from tilebox_celery.datasets.schema import Field, Schema
from tilebox_celery.errors import ArgumentError

Bind = Callable[[Any, str], str]
"""Takes a value and its Postgres type, and returns the place of the parameter."""


class Expression(ABC):
    """A condition on a datapoint: true, false, or unknown where a field is absent; only what is true is found.

    Example:
        >>> print((field("cloud_cover") < 20) & ~(field("platform") == "S2A"))
        ((cloud_cover < 20) & ~(platform == 'S2A'))
    """

    def __and__(self, other: object) -> "Expression":
        """Require both."""
        return Both(self, other, "&") if isinstance(other, Expression) else NotImplemented

    def __or__(self, other: object) -> "Expression":
        """Require one of them."""
        return Both(self, other, "|") if isinstance(other, Expression) else NotImplemented

    def __invert__(self) -> "Expression":
        """Require the opposite; what is unknown stays unknown."""
        return Negation(self)

    def __bool__(self) -> bool:
        """Refuse to be true or false here: only the database knows."""
        raise TypeError(
            f"The filter {self} is neither true nor false in Python: combine filters with &, | and ~ instead of and, "
            "or, not and chains such as 1 < field < 3, with parentheses around each comparison."
        )

    @abstractmethod
    def sql(self, schema: Schema, bind: Bind) -> str:
        """Return the condition in SQL.

        Raises:
            ArgumentError: A field is unknown, is not queryable, or has another type than its value.
        """


@dataclass(frozen=True, eq=False)
class FieldReference:
    """A field that is to be compared.

    Args:
        name: Of the field.
    """

    name: str

    def __eq__(self, value: object) -> Expression:  # type: ignore[override]  # builds a filter instead of comparing
        """Require this value."""
        return Comparison(self.name, "==", value)

    def __ne__(self, value: object) -> Expression:  # type: ignore[override]  # builds a filter instead of comparing
        """Require another value than this; an absent one is not another."""
        return Comparison(self.name, "!=", value)

    def __lt__(self, value: object) -> Expression:
        """Require less."""
        return Comparison(self.name, "<", value)

    def __le__(self, value: object) -> Expression:
        """Require at most this."""
        return Comparison(self.name, "<=", value)

    def __gt__(self, value: object) -> Expression:
        """Require more."""
        return Comparison(self.name, ">", value)

    def __ge__(self, value: object) -> Expression:
        """Require at least this."""
        return Comparison(self.name, ">=", value)

    __hash__ = None  # type: ignore[assignment]  # == does not compare

    def is_null(self) -> Expression:
        """Require that the field is absent (or, of a floating point field, not a number)."""
        return Presence(self.name, is_present=False)

    def is_not_null(self) -> Expression:
        """Require that the field is there."""
        return Presence(self.name, is_present=True)

    def __bool__(self) -> bool:
        """Refuse to be true or false: a field is no condition."""
        raise TypeError(f"The field '{self.name}' is no filter by itself: compare it, as in field('{self.name}') == 1.")


def field(name: str) -> FieldReference:
    """Name a field in a filter.

    Args:
        name: Of a queryable field of the dataset.

    Example:
        >>> print(field("cloud_cover") < 20)
        (cloud_cover < 20)
    """
    return FieldReference(name)


@dataclass(frozen=True, eq=False)
class Comparison(Expression):
    """A field compared with a value."""

    name: str
    operator: str
    value: Any

    def sql(self, schema: Schema, bind: Bind) -> str:
        """Return the comparison in SQL."""
        if isinstance(self.value, (FieldReference, Expression)):
            raise ArgumentError(f"The field '{self.name}' can be compared with a value only, not with another field.")
        return bound_comparison(_queryable(schema, self.name), self.operator, self.value, bind)

    def __str__(self) -> str:
        """Return it as it is written in Python."""
        return f"({self.name} {self.operator} {self.value!r})"


@dataclass(frozen=True, eq=False)
class Presence(Expression):
    """Whether a field is there; never unknown."""

    name: str
    is_present: bool

    def sql(self, schema: Schema, bind: Bind) -> str:
        """Return the test in SQL."""
        return f"({value_column(_queryable(schema, self.name))} is {'not ' if self.is_present else ''}null)"

    def __str__(self) -> str:
        """Return it as it is written in Python."""
        return f"{self.name}.{'is_not_null' if self.is_present else 'is_null'}()"


@dataclass(frozen=True, eq=False)
class Both(Expression):
    """Two conditions of which both must be true (``&``) or one (``|``)."""

    left: Expression
    right: Expression
    operator: str

    def sql(self, schema: Schema, bind: Bind) -> str:
        """Return both in SQL."""
        word = " and " if self.operator == "&" else " or "
        return f"({word.join(part.sql(schema, bind) for part in self._parts())})"

    def __str__(self) -> str:
        """Return it as it is written in Python."""
        return f"({f' {self.operator} '.join(map(str, self._parts()))})"

    def _parts(self) -> list[Expression]:
        """Return what the same operator joins: people join thousands, and Python does not call itself so deep."""
        parts: list[Expression] = [self.right]
        rest = self.left
        while isinstance(rest, Both) and rest.operator == self.operator:
            parts.append(rest.right)
            rest = rest.left
        return [rest, *reversed(parts)]


@dataclass(frozen=True, eq=False)
class Negation(Expression):
    """The opposite of a condition."""

    inner: Expression

    def sql(self, schema: Schema, bind: Bind) -> str:
        """Return it in SQL."""
        return f"(not {self.inner.sql(schema, bind)})"

    def __str__(self) -> str:
        """Return it as it is written in Python."""
        return f"~{self.inner}"


def checked_filter(value: object) -> Expression:
    """Return a filter as it is.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(value, Expression):
        return value
    raise TypeError(
        f"A filter must be an expression such as field('cloud_cover') < 20, not {value!r} ({type(value).__name__})."
    )


def _queryable(schema: Schema, name: str) -> Field:
    found = schema.by_name.get(str(name))
    if found is None and name == "time":
        raise ArgumentError("The time is no field to filter by: say temporal_extent=(start, end).")
    if found is None:
        known = ", ".join(each.name for each in schema.fields if each.queryable) or "none"
        raise ArgumentError(f"There is no field '{name}' to filter by; the fields of this dataset are: {known}.")
    if not found.queryable or found.is_array:
        reason = "it is an array" if found.is_array else "its dataset declares it as not queryable"
        raise ArgumentError(f"The field '{name}' cannot stand in a filter: {reason}.")
    return found
