"""Read the ids of jobs and tasks that users pass."""

from typing import Protocol, runtime_checkable
from uuid import UUID

from tilebox_celery.errors import ArgumentError


@runtime_checkable
class HasId(Protocol):
    """Anything with a public id: a job, a task, a TaskView."""

    @property
    def id(self) -> UUID: ...


def parse_id(value: str | UUID | HasId) -> UUID:
    """Read an id that a user passed.

    Args:
        value: The text of an id, a UUID, or an object with an `id` (a Job, a TaskView).

    Raises:
        ArgumentError: The text is not an id, or the value is nothing of that kind.

    Example:
        >>> parse_id("018dd029-58ca-7000-8000-000000000005")
        UUID('018dd029-58ca-7000-8000-000000000005')
    """
    if isinstance(value, UUID):
        return value
    if isinstance(value, str):
        try:
            return UUID(value.strip())
        except ValueError:
            raise ArgumentError(
                f"Invalid id {value[:64]!r}: expected an id such as 018dd029-58ca-7000-8000-000000000005."
            ) from None
    inner = getattr(value, "id", None)
    if isinstance(inner, UUID | str):
        return parse_id(inner)
    raise ArgumentError(f"Expected an id, a UUID, or an object with an id, not {type(value).__name__}.")
