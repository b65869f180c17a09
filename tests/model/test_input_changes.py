"""A value that would come back from its stored input as another one is refused when it is stored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import pytest

from tilebox_celery.errors import InputError
from tilebox_celery.model.inputs import deserialize, serialize
from tilebox_celery.workflows import Task

NOW = datetime(2024, 2, 22, tzinfo=UTC)
Item = TypeVar("Item")


class Colour(Enum):
    RED = "red"


@dataclass
class Leaf:
    data: bytes
    below: "list[Branch]"


@dataclass
class Branch:
    leaves: list[Leaf]


@dataclass
class Box(Generic[Item]):
    item: Item


class Row(NamedTuple):
    when: date
    tags: frozenset[str]


class Record(TypedDict):
    path: Path


def task_of(hint: Any) -> Any:
    """Make a task with a field of this annotation beside one that takes bytes."""
    return type("Two", (Task,), {"__annotations__": {"value": hint, "other": bytes}, "other": b""})


@pytest.mark.parametrize(
    ("hint", "value", "cls"),
    [
        (str, b"\xff", "bytes"),
        (str, NOW, "datetime"),
        (str, Path("a"), "PosixPath"),
        (int, Colour.RED, "Colour"),
        (Any, NOW, "datetime"),
        (object, {1, 2}, "set"),
        (dict, {"a": {1, 2}}, "set"),
        (dict[str, Any], {"a": [{"b": b"x"}]}, "bytes"),
        (list, [Leaf(b"", [])], "Leaf"),
        (list[str], {"a"}, "set"),
        (list[str], MappingProxyType({}), "mappingproxy"),
        (list[int] | None, frozenset([1]), "frozenset"),
        (Box[str], Box(b"x"), "bytes"),
        (Literal["a"], b"a", "bytes"),
        (tuple[str, ...], (b"a",), "bytes"),
    ],
)
def test_what_would_come_back_changed_is_refused(hint: Any, value: Any, cls: str) -> None:
    """A codec is used only where the annotation of the field decodes it again; the refusal names the field."""
    one: Any = type("One", (Task,), {"__annotations__": {"value": hint}})

    for made in (one(value), task_of(hint)(value)):
        with pytest.raises(
            InputError, match=r"the field 'value' cannot be stored: its annotation would not bring"
        ) as no:
            serialize(made)
        assert f"back as a {cls}." in str(no.value)


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (bytes, b"\xff"),
        (datetime | None, NOW),
        (dict[str, set[int]], {"a": {1, 2}}),
        (dict[date, Colour], {date(2024, 1, 1): Colour.RED}),
        (Branch, Branch([Leaf(b"\xff", [Branch([])])])),
        (list[Leaf], [Leaf(b"\xff", [Branch([Leaf(b"a", [])])])]),
        (Box[bytes], Box(b"\xff")),
        (Box[Box[datetime]], Box(Box(NOW))),
        (Row, Row(date(2024, 1, 1), frozenset(["a"]))),
        (Record, {"path": Path("a")}),
        (Iterable[Path], [Path("a")]),
        (Mapping[str, bytes], {"a": b"\xff"}),
        (Literal[Colour.RED], Colour.RED),
        (tuple[str, bytes], ("a", b"\xff")),
    ],
)
def test_what_the_annotation_brings_back_is_stored(hint: Any, value: Any) -> None:
    """Wherever it stands in the annotation, a class that can be decoded comes back as it was."""
    cls = task_of(hint)

    assert deserialize(cls, serialize(cls(value))) == cls(value)
