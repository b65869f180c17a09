"""`pool_grow` and `pool_shrink` of a pool whose children are slots with pages, and stay in their loops while idle."""

import contextlib
import logging
from collections.abc import Callable
from typing import Any

from tilebox_celery.errors import ArgumentError
from tilebox_celery.runner.bells import Bells

logger = logging.getLogger("tilebox_celery.runner")
PAUSE_SECONDS = 0.1
TRIES = 20


def limit_growth(pool: Any, most: int) -> None:
    """Refuse to grow a pool beyond the pages of its slots: a child without one could take no wake-up.

    Args:
        pool: That has started.
        most: How many children have a page.
    """
    if not hasattr(pool, "grow"):
        return
    grow = pool.grow

    def grow_within(n: int = 1) -> Any:
        if pool.num_processes + n > most:
            raise ArgumentError(
                f"This worker can have {most} slots at most, and has {pool.num_processes}: "
                "start it again with a larger -c, or start another worker."
            )
        return grow(n)

    pool.grow = grow_within


def send_home_before_shrinking(
    pool: Any, bells: Bells, call_after: Callable[..., Any], wake_all: Callable[[], None]
) -> None:
    """Let resting children leave their loops before a pool shrinks: the pool itself takes them for busy.

    Args:
        pool: That has started.
        bells: Of its children.
        call_after: Takes seconds, a function and its arguments, and calls it in the event loop.
        wake_all: Brings those back that stay.
    """
    shrink = pool.shrink

    def shrink_resting(n: int = 1) -> None:
        idle = pool.num_processes - bells.count_at_work()
        if idle < n:
            raise ArgumentError(
                f"This worker has {idle} of {pool.num_processes} slots at rest: shrink it by fewer, or when they are."
            )
        bells.send_home(n)
        call_after(PAUSE_SECONDS, finish, (n, TRIES))

    def finish(left: int, tries: int) -> None:
        before = pool.num_processes
        with contextlib.suppress(ValueError):  # some are busy as the pool sees it: their last message is on its way
            shrink(left)
        left -= before - pool.num_processes
        if left and tries:
            bells.send_home(left)
            call_after(PAUSE_SECONDS, finish, (left, tries - 1))
            return
        if left:
            logger.warning("the pool has %s slots more than asked for: they are at work", left)
        wake_all()

    pool.shrink = shrink_resting
