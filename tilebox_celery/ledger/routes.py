"""Number cluster, identifier and version: route ids, asked once for each ledger in a process and then known."""

from collections.abc import Sequence

from tilebox_celery.errors import NotFoundError
from tilebox_celery.ledger import literals as lit
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.submission import TaskBatch
from tilebox_celery.postgres.connection import Connection

ENSURE = b"select tbx.ensure_routes(%s::text[], %s::text[], %s::int[], %s::int[])"

DEFAULT_CLUSTER = b"select slug from tbx.clusters where is_default and deleted_at is null order by id limit 1"


class RouteIds:
    """Route ids and default cluster of one ledger, cached; that they changed is found out by the ledger itself."""

    def __init__(self) -> None:
        self._default: str | None = None
        self._known: dict[tuple[str, TaskIdentifier], int] = {}

    def of_batch(self, connection: Connection, batch: TaskBatch, default_cluster: str) -> list[int]:
        """Return the route of each task of a batch.

        Args:
            connection: In autocommit mode: a new route is committed at once.
            batch: The tasks.
            default_cluster: For tasks that name no cluster.

        Raises:
            NotFoundError: A cluster does not exist.
        """
        if not batch.identifiers:
            return []
        keys = [
            (cluster or default_cluster, identifier)
            for cluster, identifier in zip(batch.clusters, batch.identifiers, strict=True)
        ]
        known = self._known
        try:
            return [known[key] for key in keys]
        except KeyError:
            # sorted, so that two processes that number the same new routes take the clusters' locks in one order
            self._ask(connection, sorted(set(keys) - known.keys(), key=lambda key: (key[0], str(key[1]))))
            return [known[key] for key in keys]

    def default_cluster(self, connection: Connection) -> str:
        """Return the default cluster, as this process last saw it.

        Raises:
            NotFoundError: There is none.
        """
        if self._default is None:
            self._default = ask_default_cluster(connection)
        return self._default

    def forget(self) -> None:
        """Ask again from now on: a cluster is gone, or another one is the default, or the ledger is another one."""
        self._default = None
        self._known.clear()

    def _ask(self, connection: Connection, keys: Sequence[tuple[str, TaskIdentifier]]) -> None:
        row = connection.execute(
            ENSURE,
            (
                lit.text_array([cluster for cluster, _ in keys]),
                lit.text_array([identifier.name for _, identifier in keys]),
                lit.int_array(identifier.major for _, identifier in keys),
                lit.int_array(identifier.minor for _, identifier in keys),
            ),
        ).fetchone()
        assert row is not None, "a function gives one row"
        for (cluster, _), route_id in zip(keys, row[0], strict=True):
            if route_id is None:
                raise no_such_cluster(cluster)
        self._known.update(zip(keys, row[0], strict=True))


def ask_default_cluster(connection: Connection) -> str:
    """Ask the ledger for its default cluster.

    Raises:
        NotFoundError: There is none.
    """
    row = connection.execute(DEFAULT_CLUSTER).fetchone()
    if row is None:
        raise NotFoundError(
            "No cluster is named and this ledger has no default one: name a cluster, or create the first one "
            "with client.clusters().create(name) or 'tilebox-celery cluster create'."
        )
    return str(row[0])


def no_such_cluster(slug: str) -> NotFoundError:
    """Return the error for a cluster that does not exist."""
    return NotFoundError(
        f"No such cluster {slug!r}: create one with client.clusters().create(name) "
        f"or 'tilebox-celery cluster create', or see 'tilebox-celery cluster list'."
    )
