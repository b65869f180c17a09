"""Names and versions of task classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.model.identifiers import TaskIdentifier, accepts, parse_version

NUMBERS = st.integers(min_value=0, max_value=999_999_999)


@pytest.mark.clause("1.2-5")
@given(NUMBERS, NUMBERS)
def test_versions_are_numbers(major: int, minor: int) -> None:
    """Both parts of a version are read as numbers."""
    identifier = TaskIdentifier.parse(("Mosaic", f"v{major}.{minor}"))

    assert (identifier.major, identifier.minor) == (major, minor)


@pytest.mark.clause("1.2-12")
@pytest.mark.parametrize(
    "version",
    [
        "",
        "1.0",
        "v1",
        "v1.",
        "v.1",
        "v1.0.0",
        "v-1.0",
        "v1.-1",
        "V1.0",
        " v1.0",
        "v1.0\n",
        "v1.a",
        "v\u0661.\u0660",
        "v1234567890.0",
    ],
)
def test_bad_versions(version: str) -> None:
    """A version of another form is refused with a TypeError that shows it."""
    with pytest.raises(TypeError, match="Invalid version string: ") as raised:
        TaskIdentifier.parse(("Mosaic", version))

    assert repr(version) in str(raised.value)


@pytest.mark.clause("1.2-9")
@pytest.mark.parametrize("value", [None, 1, ("Mosaic",), ("Mosaic", 1), ["Mosaic", "v1.0"], ("a", "v1.0", "b"), b"x"])
def test_bad_shapes(value: object) -> None:
    """An identifier that is not a tuple of two strings is refused."""
    with pytest.raises(TypeError, match="tuple of two strings"):
        TaskIdentifier.parse(value)


@pytest.mark.clause("1.2-10")
@pytest.mark.parametrize("name", ["", " ", "\t"])
def test_empty_names(name: str) -> None:
    """An empty name is refused."""
    with pytest.raises(TypeError, match="A task name is required"):
        TaskIdentifier.parse((name, "v1.0"))


@pytest.mark.clause("1.2-11")
def test_long_names() -> None:
    """256 characters are a name, 257 are not."""
    assert TaskIdentifier.parse(("x" * 256, "v0.0")).name == "x" * 256

    with pytest.raises(TypeError, match="257 characters long; at most 256"):
        TaskIdentifier.parse(("x" * 257, "v0.0"))


@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "a\ud800"])
def test_names_that_cannot_be_stored(name: str) -> None:
    """Control characters and lone surrogates, which Postgres or logs cannot hold, are refused."""
    with pytest.raises(TypeError, match="control character"):
        TaskIdentifier.parse((name, "v0.0"))


@given(st.text(st.characters(categories=("L", "N", "Zs")), min_size=1, max_size=20).filter(str.strip), NUMBERS, NUMBERS)
def test_text_form_comes_back(name: str, major: int, minor: int) -> None:
    """An identifier written as text is read as the same identifier."""
    identifier = TaskIdentifier(name, f"v{major}.{minor}")

    assert TaskIdentifier.parse(str(identifier)) == identifier


def test_text_without_version() -> None:
    """A text without a version is a name, and its version is v0.0."""
    assert TaskIdentifier.parse("Cloud Mask") == TaskIdentifier("Cloud Mask", "v0.0")


@pytest.mark.clause("1.4-7")
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_version_rule(major: int, minor: int, other_major: int, other_minor: int) -> None:
    """A runner accepts the same major version and minor versions up to its own, compared as numbers."""
    registered = TaskIdentifier("Mosaic", f"v{major}.{minor}")
    submitted = TaskIdentifier("Mosaic", f"v{other_major}.{other_minor}")

    assert accepts(registered, submitted) == (major == other_major and minor >= other_minor)


@pytest.mark.clause("1.4-7")
def test_version_rule_is_numeric() -> None:
    """v1.10 is newer than v1.9, and another name is never accepted."""
    assert accepts(TaskIdentifier("A", "v1.10"), TaskIdentifier("A", "v1.9"))
    assert not accepts(TaskIdentifier("A", "v1.9"), TaskIdentifier("A", "v1.10"))
    assert not accepts(TaskIdentifier("A", "v1.9"), TaskIdentifier("B", "v1.9"))


def test_leading_zeros_are_numbers_too() -> None:
    """v01.02 means the numbers 1 and 2."""
    assert parse_version("v01.02") == (1, 2)
