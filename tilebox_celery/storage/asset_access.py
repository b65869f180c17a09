"""What the asset client asks of assets, and what it finds out about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tilebox_celery.storage.stores import Store


class Location(Protocol):
    """Where a file can be had, as `tilebox_celery.datasets.assets.AssetLocation` says it."""

    @property
    def href(self) -> str:
        """A URL, s3://bucket/key, or a path."""

    @property
    def storage_schemes(self) -> Mapping[str, Any]:
        """How it is stored."""

    @property
    def authentication_schemes(self) -> Mapping[str, Any]:
        """How to log in."""


class Asset(Protocol):
    """A file of a datapoint, as `tilebox_celery.datasets.assets.Asset` says it."""

    @property
    def key(self) -> str:
        """Its name."""

    @property
    def primary(self) -> Location:
        """Where it is."""

    @property
    def alternates(self) -> Mapping[str, Location]:
        """Where else it is."""

    @property
    def media_type(self) -> str | None:
        """What it is."""

    @property
    def file(self) -> Any:
        """Has `size` and `checksum`, or is None."""


@dataclass(frozen=True)
class AssetAccessPolicy:
    """Which of several locations of an asset is taken.

    Example:
        >>> AssetAccessPolicy(("https",)).preferred_schemes
        ('https',)
    """

    preferred_schemes: tuple[str, ...] = ("file", "s3", "gs", "az", "https", "http")
    """The first are preferred; others come last."""


@dataclass(frozen=True)
class ResolvedAsset:
    """The location that is taken, and how it is read."""

    asset: Asset
    location: Location
    href: str
    store: Store
    path: str
    """Of the file in the store."""
    storage_scheme: Any | None
    authentication_scheme: Any | None
