"""The ids that users pass are read, in each form that they have."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.ids import parse_id


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
