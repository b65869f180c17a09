"""Tasks in a module whose annotations are text."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

import pytest

from tilebox_celery.errors import InputError
from tilebox_celery.model.inputs import deserialize, serialize
from tilebox_celery.model.task import Task

if TYPE_CHECKING:
    from decimal import Decimal

    from tilebox_celery.model.context import ExecutionContext


class Later(Task):
    box: Box
    when: datetime | None = None
    max_subtasks: ClassVar[int | None] = 7

    def execute(self, context: ExecutionContext) -> None: ...


@dataclass
class Box:
    width: int


def test_global_names() -> None:
    """A field may name a class that is defined further down."""
    task = Later(Box(3), datetime(2024, 2, 22))

    assert deserialize(Later, serialize(task)) == task


def test_local_names() -> None:
    """A task that is local to a function may name classes that are local to it, also in nested dataclasses."""

    @dataclass
    class Leaf:
        at: datetime

    @dataclass
    class Branch:
        leaves: list[Leaf] = field(default_factory=list)

    class Local(Task):
        branch: Branch
        direct: Leaf | None = None

    class Finer(Local):
        scale: int = 1

    task = Finer(Branch([Leaf(datetime(2024, 2, 22))]), Leaf(datetime(2024, 2, 23)))

    assert deserialize(Finer, serialize(task)) == task


def test_local_names_of_abstract_classes() -> None:
    """The same holds for a task class with a metaclass of its own, such as an abstract one."""

    @dataclass
    class Leaf:
        at: datetime

    class Base(Task, ABC):
        leaf: Leaf

    class Concrete(Base): ...

    task = Concrete(Leaf(datetime(2024, 2, 22)))

    assert deserialize(Concrete, serialize(task)) == task


def test_names_that_cannot_be_found() -> None:
    """A field that names a class which is imported for type checkers only is refused on submission."""

    class Hidden(Task):
        amount: Decimal

    with pytest.raises(InputError, match="Task Hidden: an annotation of Hidden names 'Decimal'"):
        serialize(Hidden(3))  # type: ignore[arg-type] # never looked at
