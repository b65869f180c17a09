"""Let tasks run event loops where one runs already: the cell of a notebook."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def without_running_loop() -> Iterator[None]:
    """Hide the running event loop of this thread, so that ``asyncio.run`` works in what a cell of a notebook calls.

    The hidden loop stands still meanwhile, as it does whenever something in it does not await.
    """
    running = asyncio._get_running_loop()
    if running is None:
        yield
        return
    swap: Any = getattr(asyncio.tasks, "_swap_current_task", None)  # Python 3.12: tasks belong to a thread since 3.14
    task = swap(running, None) if swap is not None else None
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio.set_event_loop(running)  # asyncio.run leaves none
        asyncio._set_running_loop(running)
        if swap is not None:
            swap(running, task)
