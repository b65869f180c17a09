"""Options of a Celery worker that count messages or processes: what they mean where neither is a task."""

import logging
from typing import Any

logger = logging.getLogger("tilebox_celery.runner")


def drop_time_limits(worker: Any) -> None:
    """Take Celery's time limits from a pool that is not built yet.

    Billiard would count the loop of a slot, and then kill or fail whatever task happens to run in it.

    Args:
        worker: Whose command line or settings may have set them.
    """
    if worker.time_limit or worker.soft_time_limit:
        logger.warning(
            "time limits are not enforced by this worker: Celery would count the loop of a slot and not a task, "
            "so limit the time inside of execute"
        )
    worker.time_limit = worker.soft_time_limit = None


def fix_autoscale(worker: Any) -> None:
    """Start a pool that is not built yet with all of its slots: Celery would never add any.

    Args:
        worker: Whose command line may have asked for a range.
    """
    if not worker.autoscale:
        return
    most, least = worker.max_concurrency, worker.min_concurrency
    if most != least:
        logger.warning(
            "--autoscale %s,%s gives %s slots from the start: Celery scales by messages, which are no tasks here, "
            "and an idle slot sleeps",
            most,
            least,
            most,
        )
    worker.min_concurrency = worker.concurrency = most
