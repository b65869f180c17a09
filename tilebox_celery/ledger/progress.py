"""Store what a running task says of its progress."""

from collections.abc import Mapping

from tilebox_celery.ledger import literals as lit
from tilebox_celery.ledger.calls import ClaimedTask
from tilebox_celery.model.context import ProgressUpdate
from tilebox_celery.postgres.connection import Connection

REPORT = b"select tbx.report_progress(%s::uuid, %s::bigint, %s::bigint, %s::text[], %s::bigint[], %s::bigint[])"


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
