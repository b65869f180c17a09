"""Select clusters, and what is deployed to them."""

from typing import Any

from sqlalchemy import Connection, Select, and_, literal, select, true

from tilebox_celery.ledger.literals import clean_text
from tilebox_celery.ledger.tables import GONE, READY, RUNNING, clusters, routes, runners, slots, tasks
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
    # Lateral selects with a limit fix the order: from the cluster down, and no further than the first task.
    one = literal(1)
    ready_task = select(one).where(tasks.c.route_id == routes.c.id, tasks.c.phase == READY).limit(1).lateral()
    ready = (
        select(one)
        .select_from(routes.join(ready_task, true()))
        .where(routes.c.cluster_id == clusters.c.id)
        .limit(1)
        .scalar_subquery()
    )
    running_task = select(one).where(tasks.c.slot_id == slots.c.id, tasks.c.state == RUNNING).limit(1).lateral()
    running = (
        select(one)
        .select_from(runners.join(slots, slots.c.runner_id == runners.c.id).join(running_task, true()))
        .where(runners.c.cluster_id == clusters.c.id, runners.c.state != GONE, slots.c.state != GONE)
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            clusters.c.slug,
            clusters.c.display_name,
            clusters.c.description,
            and_(ready.is_(None), running.is_(None)),
        )
        .where(clusters.c.deleted_at.is_(None))
        .order_by(clusters.c.id)
    )
