"""Which types of fields come back as they were."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypedDict, TypeVar, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.errors import InputError
from tilebox_celery.model.codecs import register_codec
from tilebox_celery.model.inputs import deserialize, serialize
from tilebox_celery.model.task import Task

T = TypeVar("T")
SceneId = NewType("SceneId", uuid.UUID)


class Band(Enum):
    RED = "B04"
    NIR = "B08"


class Level(IntEnum):
    L1 = 1
    L2 = 2


class Mode(StrEnum):
    FAST = "fast"


class Corner(Enum):
    LOW = (0, 0)
    HIGH = (1, 1)


class Bits(Flag):
    A = 1
    B = 2


class Point(NamedTuple):
    x: int
    at: datetime


class Options(TypedDict, total=False):
    start: datetime
    name: str


@dataclass
class Extent:
    west: float
    north: float
    taken: datetime | None = None


@dataclass
class Square:
    side: int


@dataclass
class Circle:
    side: int
    radius: int = 0


@dataclass
class Tree:
    name: str
    children: list["Tree"] = field(default_factory=list)
    parent: Optional["Tree"] = None


@dataclass
class Pair(Generic[T]):
    left: T
    right: list[T]


NOW = datetime(2024, 2, 22, 9, 33, 7, 146123, tzinfo=UTC)
SCENE = uuid.UUID("018dd029-58ca-7000-8000-000000000005")


def roundtrip(hint: Any, value: Any) -> Any:
    """Store and load a value as the one field of a task, and as one of two."""
    one: Any = type("OneField", (Task,), {"__annotations__": {"value": hint}})
    two: Any = type("TwoFields", (Task,), {"__annotations__": {"value": hint, "other": int}, "other": 0})
    alone = deserialize(one, serialize(one(value))).value
    beside = deserialize(two, serialize(two(value, 1))).value
    assert alone == beside
    return alone


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down."""
    return bool(left == right) and repr(left) == repr(right)


@pytest.mark.clause("1.2-17", "1.2-25")
@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (list, [1, "a"]),
        (list[int], [1, 2]),
        (list[list[float]], [[1.5], []]),
        (dict, {"a": 1}),
        (dict[str, list[bool]], {"a": [True]}),
        (dict[int, str], {1: "a", -2: "b"}),
        (dict[float, int], {1.5: 1}),
        (dict[bool, int], {True: 1, False: 0}),
        (dict[uuid.UUID | None, int], {None: 1, SCENE: 2}),
        (dict[uuid.UUID, datetime], {SCENE: NOW}),
        (dict[date, int], {NOW.date(): 1}),
        (dict[Band, Extent], {Band.NIR: Extent(1.0, 2.0)}),
        (dict[Level, int], {Level.L2: 5}),
        (dict[Literal[1, 2], int], {1: 5}),
        (Mapping[str, Extent], {"a": Extent(1.0, 2.0)}),
        (Sequence[Extent], [Extent(1.0, 2.0, NOW)]),
        (tuple, (1, 2)),
        (tuple[int, ...], (1, 2, 3)),
        (tuple[int, datetime], (1, NOW)),
        (tuple[()], ()),
        (set[int], {3, 1}),
        (frozenset[Band], frozenset({Band.RED})),
        (set[tuple[int, int]], {(1, 2)}),
        (Extent, Extent(1.0, 2.0)),
        (Extent | None, None),
        (Optional[Extent], Extent(1.0, 2.0, NOW)),  # noqa: UP045 # the spelling under test
        (list[Extent], [Extent(1.0, 2.0)]),
        (dict[str, list[Extent | None]], {"a": [None, Extent(1.0, 2.0)]}),
        (Tree, Tree("a", [Tree("b", [Tree("c")])], Tree("p"))),
        (Pair[datetime], Pair(NOW, [NOW])),
        (Pair[Pair[int]], Pair(Pair(1, [2]), [])),
        (Band, Band.NIR),
        (Level, Level.L2),
        (Mode, Mode.FAST),
        (Corner, Corner.HIGH),
        (Bits, Bits.A | Bits.B),
        (Literal["a", 3], 3),
        (Literal[Band.RED], Band.RED),
        (Point, Point(1, NOW)),
        (list[Point], [Point(1, NOW)]),
        (Options, {"start": NOW, "name": "a"}),
        (SceneId, SceneId(SCENE)),
        (Annotated[datetime, "when"], NOW),
        (int | str, "3"),
        (int | list[datetime], [NOW]),
        (datetime | str, "tomorrow"),
        (Union[datetime, None, int], NOW),  # noqa: UP007 # the spelling under test
        (Square | Circle, Circle(1, 2)),
        (Circle | Square, Square(1)),
        (object, {"a": [1]}),
    ],
)
def test_containers_and_classes(hint: Any, value: Any) -> None:
    """A value comes back equal and of the same types."""
    assert same(roundtrip(hint, value), value)


@pytest.mark.clause("2.task-3")
def test_nested_dataclasses_are_objects() -> None:
    """A dataclass inside an input is an object of its fields, wherever it stands."""

    class Nested(Task):
        extents: dict[str, list[Extent]]
        best: Extent | None = None

    task = Nested({"a": [Extent(1.0, 2.0)]}, Extent(3.0, 4.0))

    stored = serialize(task)

    assert stored == (
        b'{"extents": {"a": [{"west": 1.0, "north": 2.0, "taken": null}]}, '
        b'"best": {"west": 3.0, "north": 4.0, "taken": null}}'
    )
    assert deserialize(Nested, stored) == task


@pytest.mark.clause("1.2-22")
def test_nested_dataclass_with_one_field() -> None:
    """A nested dataclass is an object even if it has just one field."""

    class Holds(Task):
        square: Square

    assert serialize(Holds(Square(3))) == b'{"side": 3}'
    assert deserialize(Holds, b'{"side": 3}') == Holds(Square(3))


ZONES = st.none() | st.just(UTC) | st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m)))


@pytest.mark.clause("2.task-2")
@given(
    st.one_of(
        st.tuples(st.just(datetime), st.datetimes(timezones=ZONES)),
        st.tuples(st.just(date), st.dates()),
        st.tuples(st.just(time), st.times()),
        st.tuples(st.just(timedelta), st.timedeltas()),
        st.tuples(st.just(uuid.UUID), st.uuids()),
        st.tuples(st.just(Decimal), st.decimals(allow_nan=False)),
        st.tuples(st.just(bytes), st.binary()),
        st.tuples(st.just(bytearray), st.binary().map(bytearray)),
        st.tuples(st.just(Path), st.text(st.characters(exclude_characters="\x00"), min_size=1).map(Path)),
    )
)
def test_values_stored_as_text(case: tuple[type, Any]) -> None:
    """Times, spans, ids, decimals, bytes and paths come back exactly, alone and in a list."""
    hint, value = case

    assert roundtrip(hint, value) == value
    assert type(roundtrip(hint, value)) is type(value)
    assert roundtrip(list[hint], [value]) == [value]  # type: ignore[valid-type] # built at run time


@pytest.mark.parametrize(
    ("hint", "value", "stored"),
    [
        (datetime, NOW, b'"2024-02-22T09:33:07.146123+00:00"'),
        (timedelta, timedelta(minutes=-90), b'"-P0DT5400S"'),
        (timedelta, timedelta(0), b'"P0DT0S"'),
        (uuid.UUID, SCENE, b'"018dd029-58ca-7000-8000-000000000005"'),
        (Path, Path("/data/a b"), b'"/data/a b"'),
        (bytes, b"\xff\x00", b'"/wA="'),
        (set[int], {3, 1, 2}, b"[1, 2, 3]"),
        (Band, Band.NIR, b'"B08"'),
        (Corner, Corner.HIGH, b'"HIGH"'),
    ],
)
def test_stored_texts(hint: Any, value: Any, stored: bytes) -> None:
    """The stored form is what other languages read too: ISO 8601, base64, values of enumerations."""
    one = type("OneField", (Task,), {"__annotations__": {"value": hint}})

    assert serialize(one(value)) == stored


def test_times_of_other_writers() -> None:
    """A time that ends in Z and a span in hours and minutes are read."""

    class Times(Task):
        when: datetime
        span: timedelta

    task = deserialize(Times, b'{"when": "2024-02-22T09:33:07.146123Z", "span": "P1DT2H3M4.5S"}')

    assert task == Times(NOW, timedelta(days=1, hours=2, minutes=3, seconds=4.5))


def test_subclasses_of_known_types() -> None:
    """A subclass of a known type comes back as that subclass."""

    class Stamp(datetime): ...

    stamp = Stamp(2024, 2, 22)

    assert type(roundtrip(Stamp, stamp)) is Stamp
    assert type(roundtrip(PurePosixPath, PurePosixPath("a"))) is PurePosixPath


def test_none_as_sloppy_default() -> None:
    """A field whose default is None takes None, even if its type does not say so."""

    class Sloppy(Task):
        when: datetime = None  # type: ignore[assignment] # the habit under test
        box: Extent = None  # type: ignore[assignment] # the habit under test

    assert deserialize(Sloppy, serialize(Sloppy())) == Sloppy()
    assert deserialize(Sloppy, serialize(Sloppy(NOW))) == Sloppy(NOW)


def test_numpy_scalars_become_numbers() -> None:
    """Numbers and truth values of numpy are stored; an array is refused with a hint."""
    numpy = pytest.importorskip("numpy")

    class Values(Task):
        value: Any

    assert serialize(Values([numpy.int64(3), numpy.float32(1.5), numpy.bool_(True)])) == b"[3, 1.5, true]"
    with pytest.raises(InputError, match="job cache"):
        serialize(Values(numpy.zeros(3)))
    with pytest.raises(InputError, match="use a datetime"):
        serialize(Values(numpy.datetime64("2024-02-22", "ns")))


@pytest.mark.parametrize(
    ("hint", "data", "reason"),
    [
        (datetime, b"3", "expected the text of a datetime, got 3"),
        (datetime, b'"tomorrow"', "tomorrow"),
        (timedelta, b'"P"', "not an ISO 8601 duration"),
        (timedelta, b'"3 days"', "not an ISO 8601 duration"),
        (uuid.UUID, b'"x"', "badly formed"),
        (Decimal, b'"x"', "not a decimal number"),
        (bytes, b'"*"', "base64"),
        (Band, b'"B99"', "B99"),
        (Literal["a"], b'"b"', "'b' is none of 'a'"),
        (Literal["a"], b"[]", "none of"),
        (list[datetime], b'"x"', "expected a list, got 'x'"),
        (set[int], b"3", "expected a list, got 3"),
        (tuple[int, datetime], b"[1]", "expected 2 values, got 1"),
        (dict[int, int], b'{"a": 1}', "'a'"),
        (dict[int, int], b"[]", "expected an object"),
        (dict[bool, int], b'{"yes": 1}', "yes"),
        (datetime | int, b'"x"', "x"),
        (Extent | None, b"3", "none of the allowed types"),
        (
            list[Tree],
            b'[{"name": "a", "children": [{"nom": "b"}]}]',
            "field 'children' of Tree: Tree has no field 'nom'",
        ),
    ],
)
def test_data_of_the_wrong_type(hint: Any, data: bytes, reason: str) -> None:
    """Data that does not fit the type is refused with the field and the reason."""
    one = type("OneField", (Task,), {"__annotations__": {"value": hint}})

    with pytest.raises(InputError, match=r"^Failed to deserialize input of task OneField: field 'value': ") as raised:
        deserialize(one, data)

    assert reason in str(raised.value)


class Opaque: ...


@pytest.mark.parametrize(
    "hint",
    [Opaque, list[Opaque], Opaque | None, dict[str, Opaque], complex, Sequence[complex], Callable[[], None]],
)
def test_types_without_a_form(hint: Any) -> None:
    """A field of a type that has no JSON form is refused when the task is submitted."""
    one = type("OneField", (Task,), {"__annotations__": {"value": hint}, "value": None})

    with pytest.raises(InputError, match=r"Task OneField: field 'value': (Opaque|complex|Callable) has no JSON form"):
        serialize(one())


def test_bound_type_variable() -> None:
    """A type variable with a bound is read as its bound."""
    bound = TypeVar("bound", bound=datetime)

    assert roundtrip(list[bound], [NOW]) == [NOW]  # type: ignore[valid-type] # built at run time


def test_registered_codec() -> None:
    """A user can teach inputs another type, also inside others and for subclasses."""

    class Angle:
        def __init__(self, degrees: float) -> None:
            self.degrees = degrees

    class Turn(Angle): ...

    register_codec(Angle, lambda angle: angle.degrees, Angle)

    one: Any = type("OneField", (Task,), {"__annotations__": {"value": list[Angle]}})
    assert serialize(one([Angle(3.5), Turn(4.0)])) == b"[3.5, 4.0]"
    assert [angle.degrees for angle in deserialize(one, b"[3.5, 4.0]").value] == [3.5, 4.0]
