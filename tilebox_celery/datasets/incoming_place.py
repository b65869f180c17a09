"""Say where in incoming data a value stands that cannot be used."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from tilebox_celery.errors import ArgumentError


@dataclass(frozen=True)
class Place:
    """The values of one field.

    Args:
        name: Of the field.
        rows: The row of each value, where a row may hold several; otherwise each value is a row.
    """

    name: str
    rows: np.ndarray | None = None

    def refusal(self, index: int, reason: str) -> ArgumentError:
        """Return the error for a value; rows are counted from 0, as Python does.

        Example:
            >>> str(Place("cloud_cover").refusal(2, "expected a number, but got 'low'"))
            "Row 2, field 'cloud_cover': expected a number, but got 'low'."
        """
        row = index if self.rows is None else int(self.rows[index])
        return ArgumentError(f"Row {row}, field {self.name!r}: {reason}.")


def shown(value: Any) -> str:
    """Write a value for a message, in at most some 60 characters.

    Example:
        >>> shown("x" * 100)
        "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx..."
    """
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:56]}..."
