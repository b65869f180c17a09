"""All assets of one datapoint."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tilebox_celery.datasets.assets.asset import Asset
from tilebox_celery.datasets.assets.item import item_properties, value_of
from tilebox_celery.datasets.assets.reading import read_asset
from tilebox_celery.datasets.assets.writing import asset_json, authentication_json, storage_json
from tilebox_celery.errors import ArgumentError

if TYPE_CHECKING:
    import xarray as xr

FIELDS = {"assets": "assets", "storage": "storage_schemes", "authentication": "auth_schemes"}
"""The fields of a dataset that hold assets and the registries of their schemes, unless a call says otherwise."""


class AssetCollection(Mapping[str, Asset]):
    """The assets of one datapoint by name, read-only.

    Made by `from_datapoint` of what was loaded, or by `from_assets` of assets that you have made; `to_fields` gives
    the fields to ingest.
    """

    def __init__(self, assets: Mapping[str, Asset], json: Mapping[str, Mapping[str, Any]]) -> None:
        """Take assets and the JSON of each field; use `from_datapoint` or `from_assets`."""
        self._assets = dict(assets)
        self._json = json

    @classmethod
    def from_datapoint(
        cls, datapoint: "xr.Dataset | Mapping[str, Any]", *, fields: Mapping[str, str] | None = None
    ) -> "AssetCollection":
        """Read the assets of a datapoint.

        What STAC lets an item say for all its assets, such as the projection (`proj_epsg`, `proj_shape` and so on),
        is part of each asset with pixels that does not say it itself.

        Args:
            datapoint: One datapoint, such as ``data.isel(time=0)`` or what `find` returns, or a mapping of its fields.
            fields: Names of the fields that hold `assets`, `storage` and `authentication`, where they have others than
                ``assets``, ``storage_schemes`` and ``auth_schemes``.

        Raises:
            ArgumentError: There are several datapoints, it has no assets, or an asset cannot be read.

        Example:
            >>> datapoint = {"assets": {"red": {"href": "s3://bucket/B04.tif"}}, "proj_epsg": 32735}
            >>> AssetCollection.from_datapoint(datapoint)["red"].projection.code
            'EPSG:32735'
        """
        names = _names(fields)
        found = {what: value_of(datapoint, name) for what, name in names.items()}
        if found["assets"] is None:
            raise ArgumentError(f"The datapoint has no assets in the field {names['assets']!r}.")
        for what, value in found.items():
            if not isinstance(value, Mapping | None):
                raise ArgumentError(f"The field {names[what]!r} of the datapoint holds no JSON object.")
        json = {what: dict(value) for what, value in found.items() if value is not None}
        return cls._read(json, item_properties(datapoint))

    @classmethod
    def from_assets(cls, assets: Iterable[Asset]) -> "AssetCollection":
        """Make a collection of assets.

        Bands take from their asset what they do not say themselves. Each asset is then complete in itself: the
        projection that it had from its item is its own.

        Args:
            assets: With different keys.

        Raises:
            ArgumentError: Two assets have one key, one has no key or no href, or locations give one name to different
                schemes.

        Example:
            >>> from tilebox_celery.datasets.assets import AssetLocation, Band
            >>> red = Asset("red", AssetLocation("B04.tif"), nodata=0, bands=(Band("B04"),))
            >>> AssetCollection.from_assets([red])["red"].bands[0].nodata
            0
        """
        written: dict[str, Any] = {}
        locations = []
        for asset in assets:
            if not asset.key or asset.key in written:
                raise ArgumentError(f"Two assets have the key {asset.key!r}." if asset.key else "An asset has no key.")
            written[asset.key] = asset_json(asset)
            locations += [asset.primary, *asset.alternates.values()]
        registries = {"storage": storage_json(locations), "authentication": authentication_json(locations)}
        json = {"assets": written, **{what: value for what, value in registries.items() if value}}
        assets = cls._read(json, {}).values()
        # Written again: an asset now says what all of its bands say, so that its bands need not.
        return cls._read({**json, "assets": {asset.key: asset_json(asset) for asset in assets}}, {})

    def to_fields(self, *, fields: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return the fields of a datapoint that hold these assets, to be ingested with its other fields.

        Those of `from_datapoint` are the very ones that were loaded.

        Args:
            fields: As for `from_datapoint`.

        Returns:
            JSON objects by the names of fields: ``assets``, and the registries of schemes where there are any.

        Example:
            >>> from tilebox_celery.datasets.assets import AssetLocation
            >>> AssetCollection.from_assets([Asset("red", AssetLocation("B04.tif"))]).to_fields()
            {'assets': {'red': {'href': 'B04.tif'}}}
        """
        names = _names(fields)
        return {names[what]: dict(value) for what, value in self._json.items()}

    @classmethod
    def _read(cls, json: Mapping[str, Mapping[str, Any]], item: Mapping[str, Any]) -> "AssetCollection":
        registries = json.get("storage", {}), json.get("authentication", {})
        return cls({key: read_asset(key, value, item, *registries) for key, value in json["assets"].items()}, json)

    def __getitem__(self, key: str) -> Asset:
        """Return the asset of a name."""
        return self._assets[key]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._assets)

    def __len__(self) -> int:
        """Return the number of assets."""
        return len(self._assets)

    def __repr__(self) -> str:
        """Return the names."""
        return f"AssetCollection({', '.join(self._assets)})"


def _names(fields: Mapping[str, str] | None) -> dict[str, str]:
    unknown = set(fields or ()) - FIELDS.keys()
    if unknown:
        raise ArgumentError(f"fields names {min(unknown)!r}, but takes {', '.join(FIELDS)}.")
    return {**FIELDS, **(fields or {})}
