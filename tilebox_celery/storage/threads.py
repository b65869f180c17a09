"""Run what blocks in a thread for asyncio, and stop it when its caller loses interest."""

import asyncio
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from tilebox_celery.storage.client import STOPPED_BY

Result = TypeVar("Result")


async def in_thread(call: Callable[[], Result]) -> Result:
    """Return what a call returns, whose `STOPPED_BY` is set when this is cancelled."""
    stop = Event()
    token = STOPPED_BY.set(stop)  # the thread gets a copy of the context of this task
    try:
        return await asyncio.to_thread(call)
    except asyncio.CancelledError:
        stop.set()
        raise
    finally:
        STOPPED_BY.reset(token)
