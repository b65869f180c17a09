"""Select clusters, and what is deployed to them."""

from typing import Any

from sqlalchemy import Connection, Select, and_, exists, or_, select

from tilebox_celery.ledger.literals import clean_text
from tilebox_celery.ledger.tables import clusters, routes, runners, slots, tasks
from tilebox_celery.model.cluster import Cluster


def list_clusters(connection: Connection) -> list[Cluster]:
    """Return all clusters, the oldest first."""
    return [Cluster(*row) for row in connection.execute(clusters_statement())]


def find_cluster(connection: Connection, slug: str) -> Cluster | None:
    """Return a cluster; None if there is none of that name."""
    row = connection.execute(clusters_statement().where(clusters.c.slug == clean_text(slug))).fetchone()
    return None if row is None else Cluster(*row)


def clusters_statement() -> Select[Any]:
    """Select clusters; one with a task that is ready or runs cannot be deleted."""
    ready = exists().where(
        and_(routes.c.cluster_id == clusters.c.id, tasks.c.route_id == routes.c.id, tasks.c.phase == "r")
    )
    running = exists().where(
        and_(
            runners.c.cluster_id == clusters.c.id,
            runners.c.state != "gone",
            slots.c.runner_id == runners.c.id,
            slots.c.state != "gone",
            tasks.c.slot_id == slots.c.id,
            tasks.c.state == "RUNNING",
        )
    )
    return (
        select(clusters.c.slug, clusters.c.display_name, clusters.c.description, ~or_(ready, running))
        .where(clusters.c.deleted_at.is_(None))
        .order_by(clusters.c.id)
    )
