"""Number cluster, identifier and version: route ids, asked once for each process and then known."""

from collections.abc import Sequence

from tilebox_celery.errors import NotFoundError
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.submission import TaskBatch
from tilebox_celery.postgres.connection import Connection

ENSURE = "select tbx.ensure_routes(%s::text[], %s::text[], %s::int[], %s::int[])"


class RouteIds:
    """Route ids of one ledger, cached."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, TaskIdentifier], int] = {}

    def of_batch(self, connection: Connection, batch: TaskBatch, default_cluster: str) -> list[int]:
        """Return the route of each task of a batch.

        Raises:
            NotFoundError: A cluster does not exist.
        """
        known = self._known
        try:
            return [
                known[cluster or default_cluster, identifier]
                for cluster, identifier in zip(batch.clusters, batch.identifiers, strict=True)
            ]
        except KeyError:
            keys = [
                (cluster or default_cluster, identifier)
                for cluster, identifier in zip(batch.clusters, batch.identifiers, strict=True)
            ]
            self._ask(connection, sorted(set(keys) - known.keys(), key=str))
            return [known[key] for key in keys]

    def _ask(self, connection: Connection, keys: Sequence[tuple[str, TaskIdentifier]]) -> None:
        row = connection.execute(
            ENSURE,
            (
                [cluster for cluster, _ in keys],
                [identifier.name for _, identifier in keys],
                [identifier.major for _, identifier in keys],
                [identifier.minor for _, identifier in keys],
            ),
        ).fetchone()
        assert row is not None, "a function gives one row"
        for key, route_id in zip(keys, row[0], strict=True):
            if route_id is None:
                raise NotFoundError(
                    f"No such cluster {key[0]!r}. Create it with client.clusters().create() or 'tilebox-celery cluster create'."
                )
            self._known[key] = route_id
