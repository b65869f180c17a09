"""What subclassing Task does, and which classes it refuses."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import Any, ClassVar, Generic, TypeVar

import pytest

from tilebox_celery.model.context import ExecutionContext
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.inputs import deserialize, serialize
from tilebox_celery.model.task import Task, check_registrable, is_executable, task_identifier

T = TypeVar("T")


class Tile(Task):
    x: int
    y: int = 0

    def execute(self, context: ExecutionContext) -> None: ...


@pytest.mark.clause("1.2-1")
def test_fields_are_a_dataclass() -> None:
    """Annotated fields become positional arguments with defaults, equality and a repr."""
    assert Tile(1) == Tile(1, 0) == Tile(x=1, y=0)
    assert repr(Tile(1, 2)) == "Tile(x=1, y=2)"
    with pytest.raises(TypeError, match="x"):
        Tile()  # type: ignore[call-arg] # the mistake under test


@pytest.mark.clause("1.2-1")
def test_inherited_fields_come_first() -> None:
    """A subclass of a task class adds fields behind those of its base."""

    class Scaled(Tile):
        scale: float = 1.0

    assert [each.name for each in fields(Scaled)] == ["x", "y", "scale"]


def test_dataclass_options() -> None:
    """Options of dataclass can be given in the class header."""

    class Frozen(Task, frozen=True, kw_only=True):
        x: int

    assert hash(Frozen(x=1)) == hash(Frozen(x=1))
    with pytest.raises(TypeError):
        Frozen(1)  # type: ignore[call-arg] # the mistake under test


@pytest.mark.parametrize("slots", [False, True])
def test_explicit_decorator(slots: bool) -> None:
    """A @dataclass decorator on a task class does no harm: defaults, factories and metadata stay."""

    @dataclass(slots=slots)  # type: ignore[literal-required] # both are tried
    class Both(Task):
        x: int = 3
        y: list[int] = field(default_factory=list)
        z: str = field(default="secret", metadata={"skip_serialization": True})

    class Finer(Both):
        scale: float = 1.0

    assert Both() == Both(3, [], "secret")
    assert serialize(Both()) == b'{"x": 3, "y": []}'
    assert deserialize(Both, b'{"x": 1}') == Both(1)
    assert serialize(Finer()) == b'{"x": 3, "y": [], "scale": 1.0}'


def test_slots_in_the_header() -> None:
    """slots=True in the class header, which could not work, is refused with the way to write it."""
    with pytest.raises(TypeError, match="@dataclass decorator"):

        class Slotted(Task, slots=True):
            x: int


@pytest.mark.clause("1.2-3")
def test_identifier_as_static_or_class_method() -> None:
    """Static and class methods can name the class."""

    class Static(Task):
        @staticmethod
        def identifier() -> tuple[str, str]:
            return "tilebox.com/example/Static", "v1.2"

    class Classy(Task):
        @classmethod
        def identifier(cls) -> tuple[str, str]:
            return cls.__name__.lower(), "v3.4"

    assert task_identifier(Static) == TaskIdentifier("tilebox.com/example/Static", "v1.2")
    assert task_identifier(Classy) == TaskIdentifier("classy", "v3.4")


@pytest.mark.clause("1.2-4")
def test_default_identifier() -> None:
    """Without identifier() it is the name of the class and v0.0, also for a subclass of a task class."""

    class Finer(Tile): ...

    assert task_identifier(Tile) == TaskIdentifier("Tile", "v0.0")
    assert task_identifier(Finer) == TaskIdentifier("Finer", "v0.0")


@pytest.mark.clause("1.2-8")
def test_identifier_that_needs_an_instance() -> None:
    """An identifier(self) is refused when the class is created."""
    with pytest.raises(TypeError, match="callable without an instance"):

        class Wrong(Task):
            def identifier(self) -> tuple[str, str]:  # type: ignore[override] # the mistake under test
                return "Wrong", "v1.0"


@pytest.mark.clause("1.2-9", "1.2-10", "1.2-12")
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("Wrong v1.0", "tuple"),
        (("Wrong", 1), "tuple of two strings"),
        (("", "v1.0"), "A task name is required"),
        (("Wrong", "1.0"), "Invalid version string"),
    ],
)
def test_identifier_with_a_wrong_value(value: Any, sentence: str) -> None:
    """A wrong identifier is refused when the class is created, with the name of the class."""
    with pytest.raises(TypeError, match=sentence) as raised:

        class Wrong(Task):
            @staticmethod
            def identifier() -> tuple[str, str]:
                return value  # type: ignore[no-any-return] # the mistake under test

    assert "Task Wrong" in str(raised.value)


@pytest.mark.clause("1.2-6")
@pytest.mark.parametrize(
    "source",
    [
        "def execute(self): ...",
        "def execute(self, context, more): ...",
        "def execute(self, context, more=1): ...",
        "def execute(self, *, context): ...",
        "def execute(self, **context): ...",
        "async def execute(self): ...",
        "execute = staticmethod(lambda self, context: None)",
        "execute = 3",
    ],
)
def test_wrong_parameters_of_execute(source: str) -> None:
    """An execute that cannot take self and context is refused when the class is created."""
    with pytest.raises(TypeError, match="Expected a function signature of `execute"):
        exec(f"class Wrong(Task):\n    {source}", {"Task": Task})


def test_generator_as_execute() -> None:
    """An execute with a yield, whose code would silently never run, is refused."""
    with pytest.raises(TypeError, match="generator"):
        exec("class Wrong(Task):\n    def execute(self, context):\n        yield", {"Task": Task})


@pytest.mark.clause("1.2-7")
@pytest.mark.parametrize("annotation", ["int", "'int'", "'Task'", "bool | None"])
def test_return_value_of_execute(annotation: str) -> None:
    """An execute that declares a return value is refused when the class is created."""
    with pytest.raises(TypeError, match="Expected execute of task Wrong to not have a return value!"):
        exec(f"class Wrong(Task):\n    def execute(self, context) -> {annotation}: ...", {"Task": Task})


@pytest.mark.clause("1.2-2", "2.task-1")
@pytest.mark.parametrize(
    "source",
    [
        "def execute(self, context): ...",
        "def execute(self, context) -> None: ...",
        "def execute(self, context) -> 'None': ...",
        "def execute(this, anything, /): ...",
        "def execute(*everything): ...",
        "async def execute(self, context) -> None: ...",
    ],
)
def test_right_execute(source: str) -> None:
    """An execute with self and context, plain or async, makes the class executable."""
    names: dict[str, Any] = {"Task": Task}

    exec(f"class Right(Task):\n    {source}", names)

    assert check_registrable(names["Right"]) is names["Right"]


def test_decorated_execute() -> None:
    """A decorator around execute is no mistake, with or without functools.wraps."""

    def kept(function: Any) -> Any:
        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return run

    def lost(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

        return run

    class Kept(Task):
        @kept
        def execute(self, context: ExecutionContext) -> None: ...

    class Lost(Task):
        @lost
        def execute(self, context: ExecutionContext) -> None: ...

    assert is_executable(Kept)
    assert is_executable(Lost)


@pytest.mark.clause("1.2-13", "1.2-14")
def test_class_without_execute() -> None:
    """A class without execute can be instantiated and stored, and not registered."""

    class Elsewhere(Task):
        x: int

    assert serialize(Elsewhere(1)) == b"1"
    with pytest.raises(ValueError, match=r"^Task Elsewhere is not executable\. "):
        check_registrable(Elsewhere)


def test_execute_is_inherited() -> None:
    """A subclass of an executable class is executable, and an abstract class in between is not."""

    class Finer(Tile): ...

    class Base(Task, ABC):
        @abstractmethod
        def execute(self, context: ExecutionContext) -> None: ...

    class Concrete(Base):
        def execute(self, context: ExecutionContext) -> None: ...

    assert is_executable(Finer)
    assert not is_executable(Base)
    assert is_executable(Concrete)


def test_generic_task() -> None:
    """A generic class can be a task."""

    class Box(Task, Generic[T]):
        value: T

    assert deserialize(Box, serialize(Box(3))) == Box(3)


@pytest.mark.clause("1.2-15")
@pytest.mark.parametrize(
    ("thing", "name"), [(int, "int"), (len, "len"), (Tile(1), r"Tile\(x=1, y=0\)"), (None, "None"), (Task, "Task")]
)
def test_no_task_class(thing: object, name: str) -> None:
    """Only subclasses of Task can be registered."""
    with pytest.raises(TypeError, match=f"^{name} is not a task!$"):
        check_registrable(thing)


def test_max_subtasks_is_no_field() -> None:
    """max_subtasks is a setting of the class, and does not travel as input."""

    class Wide(Task):
        max_subtasks: ClassVar[int | None] = 1000
        x: int

    class Endless(Task):
        max_subtasks = None

    assert serialize(Wide(1)) == b"1"
    assert serialize(Endless()) == b""


@pytest.mark.parametrize("value", [-1, "64", 1.5, True])
def test_wrong_max_subtasks(value: object) -> None:
    """A max_subtasks that is no number of 0 or more is refused."""
    with pytest.raises(TypeError, match="max_subtasks of task Wrong must be a number >= 0 or None"):
        type("Wrong", (Task,), {"max_subtasks": value})


@pytest.mark.parametrize(
    ("name", "advice"), [("execute", "rename it"), ("identifier", "rename it"), ("max_subtasks", "ClassVar")]
)
def test_reserved_field_names(name: str, advice: str) -> None:
    """A field that would hide what Task needs is refused with the way out."""
    with pytest.raises(TypeError, match=f"field called '{name}', which Task itself needs; .*{advice}"):
        type("Wrong", (Task,), {"__annotations__": {name: int}, name: 3})


def test_execute_of_the_base() -> None:
    """Calling execute of a class that has none says so."""

    class Elsewhere(Task): ...

    with pytest.raises(NotImplementedError, match="Task Elsewhere has no execute method"):
        Elsewhere().execute(None)  # type: ignore[arg-type] # never looked at
