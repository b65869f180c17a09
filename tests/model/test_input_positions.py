"""The annotation decides at each place of a value, not only somewhere in its field."""

from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import pytest

from tilebox_celery.errors import InputError
from tilebox_celery.model.inputs import deserialize, serialize
from tilebox_celery.model.task import Task

NOW = datetime(2024, 2, 22, tzinfo=UTC)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"
    PAIR = (1, 2)


@dataclass
class Leaf:
    name: str
    data: bytes = b""


@dataclass
class WideLeaf(Leaf):
    width: int = 0


class Row(NamedTuple):
    name: str
    when: date


class Record(TypedDict):
    name: str
    path: Path


def one_of(hint: Any) -> Any:
    """Make a task class with one field of this annotation."""
    return type("One", (Task,), {"__annotations__": {"value": hint}})


@pytest.mark.parametrize(
    ("hint", "value", "cls"),
    [
        (tuple[str, bytes], (b"a", b"b"), "bytes"),
        (dict[str, bytes], {"a": [b"b"]}, "bytes"),
        (dict[bytes, str], {b"a": b"b"}, "bytes"),
        (list[str] | bytes, [b"a"], "bytes"),
        (Leaf, Leaf(b"a", b"b"), "bytes"),  # type: ignore[arg-type] # the mistake under test
        (Row, Row(date(2024, 1, 1), date(2024, 1, 1)), "date"),  # type: ignore[arg-type] # the mistake under test
        (Record, {"name": Path("a"), "path": Path("a")}, "PosixPath"),
        (list[datetime], NOW, "datetime"),
        (set[int], [{1}], "set"),
        (tuple[set[int], Any], ({1}, {1}), "set"),
        (dict[str, Any], {"a": MappingProxyType({})}, "mappingproxy"),
        (Leaf | None, WideLeaf("a", b"", 3), "WideLeaf"),
    ],
)
def test_a_value_in_the_place_of_another_is_refused(hint: Any, value: Any, cls: str) -> None:
    """A class that the annotation brings back in one place only is refused in all others, and the field is named."""
    one = one_of(hint)

    with pytest.raises(InputError, match=r"^Task One: the field 'value' cannot be stored: ") as refused:
        serialize(one(value))

    assert cls in str(refused.value)


@pytest.mark.parametrize(
    ("hint", "value", "reason"),
    [
        (datetime, "tomorrow", "tomorrow"),
        (datetime, 3, "expected the text of a datetime, got 3"),
        (date, NOW, "expected a date, got datetime"),
        (UUID, "x", "badly formed"),
        (Colour, "green", "green"),
        (Literal["a", "b"], "c", "'c' is none of 'a', 'b'"),
        (list[datetime], "2024-01-01", "expected a list, got '2024-01-01'"),
        (set[int], 3, "expected a list, got 3"),
        (tuple[int, str], (1, "a", 2), "expected 2 values, got 3"),
        (Row, ("a",), "expected 2 values, got 1"),
        (dict[str, datetime], [NOW], "expected an object"),
        (Leaf, {"nom": "a"}, "Leaf has no field 'nom'"),
        (Leaf, ("a", b""), "expected a Leaf"),
        (datetime | int, "x", "x"),
        (list[Leaf], [Leaf("a", "*")], "field 'data' of Leaf"),  # type: ignore[arg-type] # the mistake under test
    ],
)
def test_what_no_runner_could_read_is_refused(hint: Any, value: Any, reason: str) -> None:
    """A value that does not fit its annotation is refused when the task is submitted, not when it runs."""
    with pytest.raises(InputError, match=r"^Task One: the field 'value' cannot be stored: ") as refused:
        serialize(one_of(hint)(value))

    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("hint", "value", "back"),
    [
        (datetime, "2024-02-22T00:00:00+00:00", NOW),
        (Colour, "red", Colour.RED),
        (Colour, "PAIR", Colour.PAIR),
        (Leaf, {"name": "a", "data": b"\xff"}, Leaf("a", b"\xff")),
        (Leaf, {"name": "a", "data": "/w=="}, Leaf("a", b"\xff")),
        (list[Leaf], ({"name": "a"},), [Leaf("a")]),
        (set[int], [3, 1], {1, 3}),
        (datetime | str, "tomorrow", "tomorrow"),
        (list[datetime] | list[str], ["a"], ["a"]),
        (date | datetime, NOW, NOW),
        (dict, MappingProxyType({"a": 1}), {"a": 1}),
        (dict | None, MappingProxyType({"a": 1}), {"a": 1}),
        (dict[str, Path], MappingProxyType({"a": Path("b")}), {"a": Path("b")}),
        (Record, {"name": "a", "path": Path("b")}, {"name": "a", "path": Path("b")}),
    ],
)
def test_data_that_a_runner_reads_is_taken(hint: Any, value: Any, back: Any) -> None:
    """The JSON form of a value may be given instead of it, and a list where a set or a tuple is meant."""
    one = one_of(hint)

    assert deserialize(one, serialize(one(value))).value == back


def test_sets_have_one_order() -> None:
    """Equal sets give the same bytes in each process, also of values that have no order."""
    colours = [Colour.RED, Colour.BLUE]
    leaves = frozenset({("b", 1), ("a", None)})

    assert serialize(one_of(set[Colour])(set(colours))) == b'["blue", "red"]'
    assert serialize(one_of(frozenset[tuple[str, int | None]])(leaves)) == b'[["a", null], ["b", 1]]'
    assert serialize(one_of(set[int | None])({3, None, 10})) == b"[10, 3, null]"
    assert serialize(one_of(set[int])({10, 9, 8})) == b"[8, 9, 10]"


def test_a_field_that_holds_itself() -> None:
    """A value that contains itself is refused in one sentence, also where classes stand in the annotation."""
    endless: list[Any] = []
    endless.append(endless)

    @dataclass
    class Node:
        below: "list[Node]"

    node = Node([])
    node.below.append(node)

    with pytest.raises(InputError, match="it contains itself or is nested too deeply"):
        serialize(one_of(list[list[Any] | datetime])(endless))
    with pytest.raises(InputError, match="it contains itself or is nested too deeply"):
        serialize(one_of(Node)(node))


def test_what_only_post_init_sees_is_refused() -> None:
    """An InitVar is gone once the object is made: the runner's copy would be another one, also with a default."""

    @dataclass
    class Circle:
        area: float = field(init=False)
        radius: InitVar[float] = 1.0

        def __post_init__(self, radius: float) -> None:
            self.area = 3 * radius**2

    class Draw(Task):
        circle: Circle

    with pytest.raises(InputError, match="Task Draw: field 'circle': field 'radius': an InitVar is gone once"):
        serialize(Draw(Circle(radius=2.0)))
