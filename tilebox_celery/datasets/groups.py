"""Datasets as a tree of attributes, along the dots of their slugs."""

from collections.abc import Iterable, Iterator
from typing import Generic, Protocol, TypeVar


class Named(Protocol):
    """A dataset, of the synchronous or the asynchronous client."""

    @property
    def slug(self) -> str:
        """Its dotted name."""

    @property
    def summary(self) -> str:
        """What it is, in one line."""


DatasetT = TypeVar("DatasetT", bound=Named)


class DatasetGroup(Generic[DatasetT]):
    """A group of datasets, with its datasets and groups as attributes; the editor can complete them.

    Args:
        name: The last part of its dotted name; empty for the root.

    Example:
        >>> from types import SimpleNamespace
        >>> one = SimpleNamespace(slug="open_data.copernicus.sentinel2_msi", summary="Sentinel-2 MSI")
        >>> print(grouped([one]))
        open_data:
            copernicus:
                sentinel2_msi: Sentinel-2 MSI
    """

    def __init__(self, name: str = "") -> None:
        self._name = name

    def __getattr__(self, name: str) -> "DatasetT | DatasetGroup[DatasetT]":
        """Refuse a name that is neither a dataset nor a group; those are attributes already."""
        raise AttributeError(f"No such dataset or dataset group {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.__dict__})

    def __iter__(self) -> Iterator[DatasetT]:
        """Yield all datasets of the group and of the groups below."""
        for _, member in self._members():
            if isinstance(member, DatasetGroup):
                yield from member
            else:
                yield member

    def __repr__(self) -> str:
        return "\n".join(self._lines(0)) or "<no datasets>"

    def _members(self) -> "list[tuple[str, DatasetT | DatasetGroup[DatasetT]]]":
        return sorted(
            ((name, each) for name, each in self.__dict__.items() if name != "_name"), key=lambda pair: pair[0]
        )

    def _lines(self, depth: int) -> Iterator[str]:
        for name, member in self._members():
            indent = "    " * depth
            if isinstance(member, DatasetGroup):
                yield f"{indent}{name}:"
                yield from member._lines(depth + 1)
            else:
                yield f"{indent}{name}: {member.summary}"


def grouped(datasets: Iterable[DatasetT]) -> DatasetGroup[DatasetT]:
    """Return the root of the tree of some datasets.

    Args:
        datasets: With slugs of which none is a group of another.
    """
    root: DatasetGroup[DatasetT] = DatasetGroup()
    for dataset in datasets:
        *groups, name = dataset.slug.split(".")
        group = root
        for each in groups:
            group = group.__dict__.setdefault(each, DatasetGroup(each))
        group.__dict__[name] = dataset
    return root
