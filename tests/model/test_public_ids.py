"""Public ids: what users pass is read, and the time of creation is in them."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.ids import created_ms_of, is_public_id, key_of, parse_id, public_id

KEYS = st.integers(0, 2**62 - 1)
TIMES = st.integers(0, 2**48 - 1)


@given(TIMES, KEYS)
def test_ids_come_back(created_ms: int, key: int) -> None:
    """Time and key of an id are read back, and it is a version 7 UUID."""
    value = public_id(created_ms, key)

    assert (created_ms_of(value), key_of(value)) == (created_ms, key)
    assert (value.version, value.variant) == (7, "specified in RFC 4122")
    assert is_public_id(value)


@pytest.mark.clause("1.6-9")
@given(st.tuples(TIMES, KEYS), st.tuples(TIMES, KEYS))
def test_ids_sort_by_creation(first: tuple[int, int], second: tuple[int, int]) -> None:
    """Ids sort by time, and within a millisecond by key; the first 48 bits are the milliseconds."""
    assert (public_id(*first) < public_id(*second)) == (first < second)
    assert int(public_id(*first).hex[:12], 16) == first[0]


@given(st.uuids(version=4))
def test_foreign_ids(value: UUID) -> None:
    """A random UUID is not taken for one of ours."""
    assert not is_public_id(value)


@pytest.mark.parametrize(("created_ms", "key"), [(-1, 0), (2**48, 0), (0, -1), (0, 2**62)])
def test_numbers_that_do_not_fit(created_ms: int, key: int) -> None:
    """A time or a key that has no room is refused."""
    with pytest.raises(ArgumentError, match="No id can hold the time"):
        public_id(created_ms, key)


def test_forms_of_an_id() -> None:
    """Text, with or without dashes, a UUID, and an object with an id are read as the same id."""
    value = UUID("018dd029-58ca-7000-8000-000000000005")

    forms: list[Any] = [str(value), value.hex, f" {value}\n", str(value).upper(), value, SimpleNamespace(id=value)]

    assert {parse_id(form) for form in [*forms, SimpleNamespace(id=str(value))]} == {value}


@pytest.mark.parametrize("wrong", ["", "abc", "018dd029-58ca-7000-8000-00000000000", "x" * 5000])
def test_malformed_text(wrong: str) -> None:
    """Text that is no id is refused with a ValueError that shows it and an example."""
    with pytest.raises(ValueError, match=r"Invalid id '.*': expected an id such as 018dd029-") as raised:
        parse_id(wrong)

    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("wrong", [None, 3, b"018dd029", SimpleNamespace(id=3), ["018dd029"]])
def test_other_values(wrong: Any) -> None:
    """Something else is refused with its type."""
    with pytest.raises(ArgumentError, match=f"not {type(wrong).__name__}"):
        parse_id(wrong)
