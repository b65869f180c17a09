"""Translate between the 62-bit keys of the ledger and public ids that carry the time of creation."""

from typing import Protocol, runtime_checkable
from uuid import UUID

from tilebox_celery.errors import ArgumentError

_KEY_BITS = 62
_KEY_MASK = (1 << _KEY_BITS) - 1
_MS_LIMIT = 1 << 48
_VERSION_AND_VARIANT = (7 << 76) | (0b10 << 62)


@runtime_checkable
class HasId(Protocol):
    """Anything with a public id: a job, a task, a TaskView."""

    @property
    def id(self) -> UUID: ...


def public_id(created_ms: int, key: int) -> UUID:
    """Build the public id of a job or a task.

    Layout, high to low: 48 bits milliseconds since 1970, version 7, 12 zero bits, variant 10, 62 bits key.
    Ids of one millisecond sort by key, so ids are monotonic within a call.

    Args:
        created_ms: Milliseconds since 1970 in UTC.
        key: Row id in the ledger.

    Raises:
        ArgumentError: A number does not fit.

    Example:
        >>> public_id(1708594387146, 5)
        UUID('018dd029-58ca-7000-8000-000000000005')
    """
    if not (0 <= created_ms < _MS_LIMIT and 0 <= key <= _KEY_MASK):
        raise ArgumentError(f"No id can hold the time {created_ms} ms and the key {key}.")
    return UUID(int=created_ms << 80 | _VERSION_AND_VARIANT | key)


def key_of(value: UUID) -> int:
    """Return the ledger key in a public id.

    A foreign UUID has a key too: a look-up compares `created_ms_of` with the row before it believes it.

    Example:
        >>> key_of(UUID("018dd029-58ca-7000-8000-000000000005"))
        5
    """
    return value.int & _KEY_MASK


def created_ms_of(value: UUID) -> int:
    """Return the milliseconds since 1970 in a public id.

    Example:
        >>> created_ms_of(UUID("018dd029-58ca-7000-8000-000000000005"))
        1708594387146
    """
    return value.int >> 80


def is_public_id(value: UUID) -> bool:
    """Return whether a UUID has the layout of `public_id`, so that it can exist in a ledger at all."""
    return value.int == created_ms_of(value) << 80 | _VERSION_AND_VARIANT | key_of(value)


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
