"""Read the few fields of a datapoint that a download needs, from an xarray.Dataset or a mapping."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tilebox_celery.errors import ArgumentError

MORE_THAN_ONE = "The given dataset has more than one granule."


@dataclass(frozen=True)
class Granule:
    """One datapoint; a field that is empty or NaN counts as absent."""

    datapoint: Any
    """An xarray.Dataset without a time dimension, or a mapping."""

    @property
    def name(self) -> str:
        """Its granule name."""
        return self.text("granule_name")

    def text(self, field: str) -> str:
        """Return a field that must be there.

        Raises:
            ArgumentError: It is absent.
        """
        value = self.optional_text(field)
        if value is None:
            raise ArgumentError(f"The datapoint has no '{field}', which is needed to find its product.")
        return value

    def location(self, place: str, *prefixes: str) -> str:
        """Return the field `location` relative to where a client looks for products.

        Args:
            place: Where that is, for the error.
            prefixes: That mean this place; what lies at another URL is refused.

        Raises:
            ArgumentError: It is absent, or lies elsewhere.
        """
        text = found = self.text("location")
        for prefix in prefixes:
            found = found.removeprefix(prefix)
        if "://" in found:
            raise ArgumentError(
                f"The location of the datapoint is {text!r:.200}, which is not in {place}: take the client of that "
                "provider, or tilebox_celery.storage.aio.Client for single assets."
            )
        return found.strip("/")

    def optional_text(self, field: str) -> str | None:
        """Return a field as text, or None."""
        value = self.value(field)
        return None if value is None or str(value) == "" else str(value)

    def optional_size(self, field: str) -> int | None:
        """Return a field as a number of bytes, or None; 0 is what an absent integer looks like.

        Raises:
            ArgumentError: It is no size.
        """
        value = self.value(field)
        try:
            size = int(value or 0)
        except (TypeError, ValueError, OverflowError):
            size = -1
        if size < 0:
            raise ArgumentError(f"The '{field}' of the datapoint is {value!r}, but must be a number of bytes.")
        return size or None

    def value(self, field: str) -> Any:
        """Return a field as a plain Python value, or None.

        Raises:
            ArgumentError: It holds several values.
        """
        if field not in self.datapoint:
            return None
        value = self.datapoint[field]
        if isinstance(value, (list, tuple)):
            value = _only(list(value))
        elif getattr(value, "size", 1) != 1:  # a numpy array, a DataArray or a pandas.Series
            raise ArgumentError(f"The '{field}' of the datapoint holds {value.size} values instead of one.")
        elif callable(getattr(value, "item", None)):
            value = value.item()
        return None if _is_absent(value) else value


def read_granule(datapoint: Any) -> Granule:
    """Take one datapoint.

    Args:
        datapoint: What `collection.find()` or `data.isel(time=0)` gives, a Dataset whose time has length 1, or a
            mapping of field names to values.

    Raises:
        ArgumentError: It has no datapoint, more than one, or is something else.

    Example:
        >>> read_granule({"granule_name": "E2_71629_STD_F183"}).name
        'E2_71629_STD_F183'
    """
    if isinstance(datapoint, Granule):
        return datapoint
    if hasattr(datapoint, "isel") and hasattr(datapoint, "data_vars"):  # so that xarray need not be imported
        length = dict(datapoint.sizes).get("time")
        if length == 0 or not len(datapoint.variables):
            raise ArgumentError("The given dataset has no granule.")
        if length is not None and length > 1:
            raise ArgumentError(MORE_THAN_ONE)
        return Granule(datapoint if length is None else datapoint.isel(time=0))
    if isinstance(datapoint, Mapping):
        return Granule(datapoint)
    raise ArgumentError(
        f"A datapoint is an xarray.Dataset such as data.isel(time=0), or a mapping, not {type(datapoint).__name__}."
    )


def _is_absent(value: Any) -> bool:
    try:
        return bool(value != value)  # noqa: PLR0124  # NaN is the one value unlike itself
    except TypeError:  # pandas.NA does not even tell that
        return True


def _only(values: list[Any]) -> Any:
    if len(values) != 1:
        raise ArgumentError(MORE_THAN_ONE if values else "The given dataset has no granule.")
    return values[0]
