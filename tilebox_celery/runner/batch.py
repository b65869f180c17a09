"""The bookkeeping of one batch: how long each task took, and what to report of it."""

import resource
import time

from tilebox_celery.ledger.calls import ClaimedTask, Finished
from tilebox_celery.runner.outcome import Computed
from tilebox_celery.runner.pace import Pace

WHO = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)


class Meter:
    """Times the tasks of a batch, one lap each.

    Args:
        seconds: The time that a batch should take.
    """

    __slots__ = ("_begun", "_cpu", "_deadline", "_now", "_spent")

    def __init__(self, seconds: float) -> None:
        usage = resource.getrusage(WHO)
        self._cpu = usage.ru_utime + usage.ru_stime
        self._begun = self._now = time.perf_counter()
        self._deadline = self._begun + seconds
        self._spent: dict[int, tuple[int, float]] = {}

    @property
    def is_over(self) -> bool:
        """Whether the batch has used its time."""
        return self._now > self._deadline

    def lap(self, route_id: int) -> tuple[int, int, int, int]:
        """Note the end of a task: start, runtime and CPU time in microseconds, and peak RSS in bytes."""
        started, self._now = self._now, time.perf_counter()
        usage = resource.getrusage(WHO)
        cpu = usage.ru_utime + usage.ru_stime
        before, self._cpu = self._cpu, cpu
        spent = self._now - started
        count, seconds = self._spent.get(route_id, (0, 0.0))
        self._spent[route_id] = (count + 1, seconds + spent)
        return int((started - self._begun) * 1e6), int(spent * 1e6), int((cpu - before) * 1e6), usage.ru_maxrss * 1024

    def learn(self, pace: Pace) -> int:
        """Teach the pace what was measured; return how many tasks ran."""
        total = 0
        for route_id, (count, seconds) in self._spent.items():
            pace.learn(route_id, count, seconds)
            total += count
        return total


def add_finished(finished: Finished, task: ClaimedTask, times: tuple[int, int, int, int], outcome: Computed) -> None:
    """Add a task that ended to a report."""
    finished.job_ids.append(task.job_id)
    finished.task_ids.append(task.id)
    finished.start_us.append(times[0])
    finished.run_us.append(times[1])
    finished.cpu_us.append(times[2])
    finished.peak_rss.append(times[3])
    finished.displays.append(outcome.display)
    finished.results.append(outcome.result)
    batch, routes = outcome.batch, outcome.routes
    if batch is not None and routes is not None:
        finished.has_subtasks.append(True)
        finished.subtasks.append((batch, routes))
        finished.family.add(batch, routes)
    else:
        finished.has_subtasks.append(False)
