"""Create, find, list, change and delete clusters."""

from typing import TYPE_CHECKING

from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.submission import HasSlug, cluster_slug

if TYPE_CHECKING:
    from tilebox_celery.client.transport import Transport


class ClusterClient:
    """The clusters of one server; `client.clusters()` makes it."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    def create(self, name: str, description: str | None = None, slug: str | None = None) -> Cluster:
        """Create a cluster; the first one becomes the default.

        Args:
            name: The display name.
            description: What it is for.
            slug: How code calls it; by default the name in lower case and 14 random letters and digits.

        Raises:
            ArgumentError: The name or the slug cannot be used, or the slug is taken.

        Example:
            cluster = client.clusters().create("Production")
        """
        return self._transport.create_cluster(name, description, slug)

    def all(self) -> list[Cluster]:
        """Return all clusters, the oldest first."""
        return self._transport.clusters()

    def find(self, cluster: str | HasSlug) -> Cluster:
        """Return a cluster as it is now.

        Raises:
            NotFoundError: There is no such cluster.
        """
        return self._transport.find_cluster(cluster_slug(cluster))

    def default(self) -> Cluster:
        """Return the cluster that is meant where none is named.

        Raises:
            NotFoundError: There is none yet.
        """
        return self._transport.find_cluster(None)

    def update(self, cluster: str | HasSlug, name: str | None = None, description: str | None = None) -> Cluster:
        """Change the name or the description of a cluster; None leaves it as it is.

        Raises:
            NotFoundError: There is no such cluster.
            ArgumentError: The name cannot be used.
        """
        return self._transport.update_cluster(cluster_slug(cluster), name, description)

    def delete(self, cluster: str | HasSlug) -> None:
        """Delete a cluster that has nothing to do.

        Raises:
            NotFoundError: There is no such cluster.
            ArgumentError: Tasks are queued or running in it; the message says how many.
        """
        self._transport.delete_cluster(cluster_slug(cluster))
