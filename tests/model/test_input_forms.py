"""The stored form of task inputs, field count by field count, and what happens when it does not fit."""

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.errors import InputError
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.inputs import deserialize, serialize
from tilebox_celery.model.task import Task


class Message:
    """Looks like a generated protobuf message."""

    def __init__(self, payload: bytes = b"") -> None:
        self.payload = payload

    def SerializeToString(self) -> bytes:
        return self.payload

    @classmethod
    def FromString(cls, data: bytes) -> "Message":
        return cls(data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and other.payload == self.payload

    def __hash__(self) -> int:
        return hash(self.payload)


@dataclass
class Box:
    width: int
    name: str = "box"


class Empty(Task): ...


class One(Task):
    value: Any


class Text(Task):
    text: str


class Pair(Task):
    name: str
    value: int


class Grown(Task):
    """One field once, two more since."""

    text: str
    times: int = 1
    tags: list[str] = field(default_factory=list)


class GrownObject(Task):
    settings: dict[str, int]
    times: int = 1


class GrownBox(Task):
    box: Box
    times: int = 1


class Defaults(Task):
    a: int = 1
    b: int = 2


class OneMessage(Task):
    message: Message


class GrownMessage(Task):
    message: Message
    times: int = 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.clause("1.2-18")
def test_no_field() -> None:
    """A task without fields is no bytes, and comes back from them."""
    assert serialize(Empty()) == b""
    assert deserialize(Empty, b"") == Empty()
    assert deserialize(Empty, b"{}") == Empty()


@pytest.mark.clause("1.2-19")
@pytest.mark.parametrize(
    ("value", "stored"),
    [("World", b'"World"'), (3, b"3"), (1.5, b"1.5"), (True, b"true"), (None, b"null"), ([1, "a"], b'[1, "a"]')],
)
def test_one_field(value: object, stored: bytes) -> None:
    """A task with one field is its bare value."""
    assert serialize(One(value)) == stored
    assert deserialize(One, stored) == One(value)


@pytest.mark.clause("1.2-21")
def test_several_fields() -> None:
    """A task with several fields is an object in field order, with the separators of json.dumps."""
    assert serialize(Pair(value=42, name="test")) == b'{"name": "test", "value": 42}'
    assert deserialize(Pair, b' {"value":42,"name":"test"}\n') == Pair("test", 42)


@pytest.mark.clause("1.2-17")
@given(JSON)
def test_any_json_comes_back(value: Any) -> None:
    """Whatever JSON can hold comes back unchanged, alone and as one of several fields."""

    class Two(Task):
        first: Any
        second: Any = None

    assert serialize(One(value)) == json.dumps(value).encode()
    assert deserialize(One, serialize(One(value))) == One(value)
    assert deserialize(Two, serialize(Two(value, value))) == Two(value, value)


@pytest.mark.clause("1.2-20")
def test_one_message() -> None:
    """One protobuf field is the bytes of the message, whatever they are."""
    assert serialize(OneMessage(Message(b"\xff\x00"))) == b"\xff\x00"
    assert deserialize(OneMessage, b"\xff\x00") == OneMessage(Message(b"\xff\x00"))


@pytest.mark.clause("1.2-23")
def test_message_among_fields() -> None:
    """A protobuf message beside other fields, or in a list, is base64 text."""

    class Listed(Task):
        messages: list[Message]

    text = base64.b64encode(b"\xff\x00").decode()

    assert serialize(GrownMessage(Message(b"\xff\x00"), 2)) == f'{{"message": "{text}", "times": 2}}'.encode()
    assert deserialize(GrownMessage, serialize(GrownMessage(Message(b"\xff\x00"), 2))).message == Message(b"\xff\x00")
    assert deserialize(Listed, serialize(Listed([Message(b"a")]))) == Listed([Message(b"a")])


@pytest.mark.clause("1.2-24")
def test_skipped_fields() -> None:
    """A field marked skip_serialization is not stored, and takes its default on the way back."""

    class Skips(Task):
        a: int
        b: str = field(default="local", metadata={"skip_serialization": True})

    assert serialize(Skips(1, "mine")) == b"1"
    assert deserialize(Skips, b"1") == Skips(1, "local")


def test_computed_fields() -> None:
    """A field that __post_init__ computes is not stored but computed again."""

    class Area(Task):
        width: int
        area: int = field(init=False)

        def __post_init__(self) -> None:
            self.area = self.width**2

    assert serialize(Area(3)) == b"3"
    assert deserialize(Area, b"3").area == 9


def test_later_changes_have_no_effect() -> None:
    """What is stored is the value at the time of the call."""
    task = One([1])

    stored = serialize(task)
    task.value.append(2)

    assert deserialize(One, stored) == One([1])


# --- versions ---------------------------------------------------------------------------------------------------------


def test_bare_value_in_a_grown_class() -> None:
    """The input of a version with one field loads into a class that grew fields with defaults."""
    assert deserialize(Grown, b'"World"') == Grown("World", 1, [])
    assert deserialize(GrownObject, b'{"a": 1}') == GrownObject({"a": 1})
    assert deserialize(GrownBox, b'{"width": 3}') == GrownBox(Box(3))
    assert deserialize(GrownMessage, b"\xff\x00") == GrownMessage(Message(b"\xff\x00"))


def test_empty_input_in_a_grown_class() -> None:
    """The input of a version without fields loads into a class whose fields all have defaults."""

    class Single(Task):
        a: int = 5

    assert deserialize(Defaults, b"") == Defaults()
    assert deserialize(Single, b"") == Single()


def test_missing_fields_take_their_defaults() -> None:
    """A field that the submitted version did not have takes its default, a new one each time."""
    first, second = (deserialize(Grown, b'{"text": "a"}') for _ in range(2))

    first.tags.append("changed")

    assert second == Grown("a")


def test_object_for_one_field() -> None:
    """A one-field class also loads an object that names its field, as prototypes are written."""
    assert deserialize(Text, b'{"text": "Hello"}') == Text("Hello")


@pytest.mark.parametrize("hint", [int | str, datetime | int])
def test_object_for_a_union(hint: Any) -> None:
    """What cannot be an object is told from one also if the field may have several types."""
    one: Any = type("One", (Task,), {"__annotations__": {"value": hint}})
    grown: Any = type("Grown", (Task,), {"__annotations__": {"value": hint, "other": int}, "other": 0})

    assert deserialize(one, b'{"value": 3}') == one(3)
    assert deserialize(one, b"3") == one(3)
    assert deserialize(grown, b"3") == grown(3)
    with pytest.raises(InputError, match="no field 'scale'"):
        deserialize(grown, b'{"scale": 3}')


def test_object_for_a_union_with_an_object() -> None:
    """A value that may be an object is taken for the bare value."""
    one: Any = type("One", (Task,), {"__annotations__": {"value": Box | datetime}})
    anything: Any = type("One", (Task,), {"__annotations__": {"value": Any | int}})

    assert deserialize(one, b'{"width": 3}') == one(Box(3))
    assert deserialize(anything, b'{"value": 3}') == anything({"value": 3})


@pytest.mark.parametrize("cls", [Empty, Text, Pair, Grown, GrownObject, GrownBox, Defaults])
def test_unknown_field_names_both_versions(cls: type[Task]) -> None:
    """A field that the registered class does not know fails with both versions and the next step."""
    known: dict[str, dict[str, object]] = {
        "Text": {"text": "a"},
        "Pair": {"name": "a", "value": 1},
        "Grown": {"text": "a"},
        "GrownObject": {"settings": {}},
        "GrownBox": {"box": {"width": 1}},
        "Defaults": {"a": 1},
    }
    data = json.dumps({**known.get(cls.__name__, {}), "scale": 2}).encode()

    with pytest.raises(InputError, match="no field 'scale'") as raised:
        deserialize(cls, data, TaskIdentifier(cls.__name__, "v0.3"))

    assert f"(submitted as {cls.__name__} v0.3, registered as {cls.__name__} v0.0)" in str(raised.value)
    assert "register the newer class" in str(raised.value)


def test_unknown_field_without_versions() -> None:
    """Without a submitted identifier the message names the class and the field."""
    sentence = r"^Failed to deserialize input of task Pair: the class has no field 'scale'\.$"

    with pytest.raises(InputError, match=sentence):
        deserialize(Pair, b'{"name": "a", "value": 1, "scale": 2}')


@pytest.mark.clause("1.2-26")
@pytest.mark.parametrize(
    ("cls", "data", "reason"),
    [
        (Text, b"World", ""),
        (Text, b'"World', ""),
        (Text, b'"a" "b"', "Extra data"),
        (Text, b"\xff", ""),
        (Text, b"", "the field 'text' is missing"),
        (One, b"NaN", "NaN is not JSON"),
        (One, b"[-Infinity]", "-Infinity is not JSON"),
        (One, b"[" * 100_000, ""),
        (One, b"1" * 5000, ""),
        (Empty, b"3", "no fields"),
        (Pair, b'"bare"', "expected an object with the fields 'name', 'value'"),
        (Pair, b'{"name": "a"}', "the field 'value' is missing"),
        (Pair, b"{", ""),
        (GrownBox, b"3", "expected an object"),
        (GrownBox, b'{"box": {"width": 1, "depth": 2}}', "field 'box': Box has no field 'depth'"),
        (GrownBox, b'{"box": {"name": "a"}}', "width"),
        (GrownBox, b'{"box": 7}', "expected an object for Box, got 7"),
    ],
)
def test_input_that_does_not_fit(cls: type[Task], data: bytes, reason: str) -> None:
    """A broken input fails with one sentence that names the class and the reason, and is a ValueError."""
    with pytest.raises(InputError, match=rf"^Failed to deserialize input of task {cls.__name__}: ") as raised:
        deserialize(cls, data)

    assert reason in str(raised.value)
    assert isinstance(raised.value, ValueError)


@given(st.binary(max_size=40))
def test_garbage_never_escapes(data: bytes) -> None:
    """Any bytes are either an input or an InputError."""
    for cls in (Empty, One, Text, Pair, Grown, GrownObject, GrownBox):
        try:
            deserialize(cls, data)
        except InputError:
            continue


def test_constructor_that_refuses() -> None:
    """A __post_init__ that refuses a stored value makes it an InputError, which keeps its cause."""

    class Picky(Task):
        x: int

        def __post_init__(self) -> None:
            if self.x < 0:
                raise ValueError("x must not be negative")

    with pytest.raises(InputError, match="x must not be negative") as raised:
        deserialize(Picky, b"-1")

    assert type(raised.value.__cause__) is ValueError


# --- what cannot be stored --------------------------------------------------------------------------------------------


class Opaque:
    pass


def _circle() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "nan is not JSON"),
        ([1, {"a": float("inf")}], "inf is not JSON"),
        (Opaque(), "Opaque is not JSON"),
        ({"a": [Opaque()]}, "Opaque is not JSON"),
        ({(1, 2): 3}, "the key (1, 2) is not JSON"),
        ({float("nan"): 3}, "nan is not JSON"),
        (lambda: 3, "function is not JSON"),
        (_circle(), "contains itself or is nested too deeply"),
        (_deep(), "contains itself or is nested too deeply"),
        ([10**5000], "Exceeds the limit"),
    ],
)
def test_value_that_cannot_be_stored(value: object, reason: str) -> None:
    """A value that is not JSON is refused with the class, the field and the reason."""
    with pytest.raises(InputError, match=r"^Task One: the field 'value' cannot be stored: ") as raised:
        serialize(One(value))

    assert reason in str(raised.value)


def test_field_that_cannot_be_stored() -> None:
    """Among several fields the message names the wrong one."""
    with pytest.raises(InputError, match=r"^Task Grown: the field 'times' cannot be stored: nan is not JSON"):
        serialize(Grown("a", float("nan")))  # type: ignore[arg-type] # the mistake under test
