"""The client of the datasets of one database."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tilebox_celery.datasets.field_forms import read_fields
from tilebox_celery.datasets.groups import DatasetGroup, grouped
from tilebox_celery.datasets.schema import DatasetKind, Field, Schema
from tilebox_celery.datasets.sync.dataset import Dataset
from tilebox_celery.errors import ArgumentError, NotFoundError, TileboxCeleryError
from tilebox_celery.settings import Settings, database_url, redact_url

if TYPE_CHECKING:
    from tilebox_celery.datasets.store.store import DatasetStore


class Client:
    """Finds and makes datasets; making a client contacts nobody.

    Clients, datasets and collections can be pickled, for dask and multiprocessing: a copy opens connections of its own
    when it is used. The pickle holds the URL, with its password if it has one; a `repr` does not.

    Args:
        url: ``postgresql://`` URL of the database. None, or the vendor's default URL, means ``TILEBOX_API_URL``, then
            ``TILEBOX_CELERY_LEDGER_URL``, then the embedded stack of this machine.
        token: Kept for the gateway; a direct connection takes its login from the URL. Default: ``TILEBOX_API_KEY``.
        settings: All other settings; by default those of the environment.

    Raises:
        ArgumentError: The URL names something that cannot be used.

    Example:
        client = Client()
        collection = client.datasets().open_data.copernicus.sentinel2_msi.collection("S2A_S2MSI2A")
        data = collection.load(("2024-08-01", "2024-08-02"))
    """

    def __init__(self, url: str | None = None, token: str | None = None, *, settings: Settings | None = None) -> None:
        settings = Settings.from_environment() if settings is None else settings
        given = database_url(url)
        self.settings = settings if given is None else replace(settings, ledger_url=given)
        self._token = token if token is not None else os.environ.get("TILEBOX_API_KEY")
        self._opened: dict[str, DatasetStore] = {}

    def __repr__(self) -> str:
        url = self.settings.ledger_url
        return f"Client(url={'the embedded stack' if url is None else redact_url(url)!r})"

    def __getstate__(self) -> dict[str, object]:
        """Return what a copy needs to connect by itself."""
        return {**self.__dict__, "_opened": {}}

    def datasets(self) -> "DatasetGroup[Dataset]":
        """Return all datasets as a tree of attributes.

        Raises:
            AuthenticationError: The database refused the login.
            LedgerUnavailable: The database cannot be reached.
        """
        return grouped(Dataset(self._store, record) for record in self._store.datasets())

    def dataset(self, slug: str) -> Dataset:
        """Return one dataset by its dotted name, such as ``open_data.copernicus.sentinel2_msi``.

        Raises:
            NotFoundError: There is no such dataset.
        """
        try:
            return Dataset(self._store, self._store.find_dataset(slug))
        except NotFoundError as error:
            from tilebox_celery.datasets.sync.open_data import is_open_dataset

            if not is_open_dataset(slug):
                raise
            raise NotFoundError(
                f"No such dataset '{slug}' yet, but the catalog of open data has it: "
                f"'tilebox-celery dataset create {slug} --open-data' makes it."
            ) from error

    def create_or_update_dataset(
        self,
        kind: DatasetKind | str,
        code_name: str,
        fields: Iterable[object] | Mapping[str, object] | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
    ) -> Dataset:
        """Make a dataset, or add fields to one that is there.

        Args:
            kind: ``"temporal"``, or ``"spatiotemporal"``, which adds the field ``geometry``.
            code_name: Its dotted name: lower case, digits and underscores between the dots.
            fields: All of them, those that it has already and new ones; see `field_forms.read_fields`. None: those that
                it has.
            name: For people; by default the code name.
            description: For people; Markdown. By default it stays as it is.

        Raises:
            ArgumentError: A name or a field cannot be used, or a change would lose data.

        Example:
            client.create_or_update_dataset("spatiotemporal", "my.scenes", [("name", str), ("bands", list[int])])
        """
        try:
            known_kind = DatasetKind(str(kind).lower())
        except ValueError:
            raise ArgumentError(f"The kind {kind!r} is unknown: it is 'temporal' or 'spatiotemporal'.") from None
        schema = Schema(known_kind, self._present_fields(code_name) if fields is None else read_fields(fields))
        record = self._store.create_or_update_dataset(code_name, schema, name=name, description=description)
        return Dataset(self._store, record)

    def delete_dataset(self, slug: str, *, force: bool = False) -> int:
        """Delete a dataset with its collections: all of it, or nothing on any error.

        Args:
            slug: Its dotted name.
            force: Whether to delete its datapoints with it; without, a dataset that has any is refused.

        Returns:
            How many datapoints there were.

        Raises:
            NotFoundError: There is no such dataset.
            ArgumentError: It has datapoints, and `force` is False.

        Example:
            client.delete_dataset("my.scenes", force=True)
        """
        return self._store.delete_dataset(slug, force=force)

    def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        for name in list(self._opened):
            self._opened.pop(name).close()

    def _present_fields(self, slug: str) -> tuple[Field, ...]:
        try:
            return self._store.find_dataset(slug).schema.fields
        except NotFoundError:
            return ()

    @property
    def _store(self) -> "DatasetStore":
        store = self._opened.get("store")
        if store is None:
            try:
                from tilebox_celery.datasets.store.open import open_store
            except ModuleNotFoundError as error:
                raise TileboxCeleryError(
                    f"Datasets need {error.name}: pip install 'tilebox-celery[datasets]'."
                ) from error

            mine = open_store(self.settings)
            # No lock, which a fork could inherit: the first of several threads wins, all use its store.
            store = self._opened.setdefault("store", mine)
            if store is not mine:
                mine.close()
        return store
