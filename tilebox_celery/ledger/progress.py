"""What a running task says and asks: its progress, and what it depended on."""

from collections.abc import Mapping

from tilebox_celery.ledger import literals as lit
from tilebox_celery.ledger.calls import ClaimedTask
from tilebox_celery.model.context import ProgressUpdate
from tilebox_celery.postgres.connection import Connection

REPORT = b"select tbx.report_progress(%s::uuid, %s::bigint, %s::bigint, %s::text[], %s::bigint[], %s::bigint[])"

DEPENDENCIES = b"""
    select d.id from tbx.tasks t
    join tbx.group_edges e on e.job_id = t.job_id and e.to_id = t.group_id
    join tbx.task_groups g on g.job_id = e.job_id and g.id = e.from_id
    join tbx.tasks d on d.job_id = g.job_id and d.id between g.first_task and g.last_task and d.group_id = g.id
    where t.job_id = %s and t.id = %s order by d.id"""


def report_progress(
    connection: Connection, claim_id: str, task: ClaimedTask, bars: Mapping[str, ProgressUpdate]
) -> bool:
    """Write the progress bars of a task; the last attempt counts.

    Returns:
        Whether the attempt is still the current one.
    """
    labels = list(bars)
    row = connection.execute(
        REPORT,
        (
            claim_id,
            task.job_id,
            task.id,
            lit.text_array(labels),
            lit.int_array(bars[label].total for label in labels),
            lit.int_array(bars[label].completed for label in labels),
        ),
        prepare=True,
    ).fetchone()
    return bool(row and row[0])


def dependencies(connection: Connection, task: ClaimedTask) -> list[int]:
    """Return the ids of the tasks that a task was submitted to run after."""
    return [row[0] for row in connection.execute(DEPENDENCIES, (task.job_id, task.id)).fetchall()]
