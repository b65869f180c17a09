"""The loop of one slot: claim, run, advance, wake, until nothing is runnable for it."""

import contextlib
import logging
import resource
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from tilebox_celery import faults
from tilebox_celery.ledger.calls import NOTHING, Answer, ClaimedTask, Finished, JobRef, SlotCalls, WakeUp, Wish, new_claim_id
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.runner.execution import Environment, execute_task
from tilebox_celery.runner.outcome import Computed, Failed
from tilebox_celery.runner.pace import MAX_BATCH, Pace

logger = logging.getLogger("tilebox_celery.runner")
SHARE = (
    "select coalesce(sum(r.slot_count), 1)::int from tbx.runners r join tbx.slots s on s.cluster_id = r.cluster_id"
    " where s.id = %s and r.state = 'live'"
)
Publish = Callable[[Sequence[WakeUp]], None]


class SlotPage(Protocol):
    """Where a slot publishes which task of its batch it runs, for the keeper."""

    def begin(self, claim_id: str, tasks: Sequence[ClaimedTask]) -> None: ...
    def start(self, position: int) -> bool: ...
    def end(self) -> None: ...
    def is_draining(self) -> bool: ...


class SlotLoop:
    """One slot at work.

    Args:
        calls: The ledger as this slot sees it.
        environment: Of the runner.
        publish: Sends wake-ups that the ledger asks for.
        page: Shared with the keeper.
    """

    def __init__(self, calls: SlotCalls, environment: Environment, publish: Publish, page: SlotPage) -> None:
        self.calls = calls
        self.environment = environment
        self.publish = publish
        self.page = page
        self.pace = Pace(environment.settings.batch.total_seconds())
        self.cursor = 0
        self.executed = 0
        self._jobs: dict[int, JobRef] = {}
        self._stale = False

    def run(self, token: int | None = None, budget: Callable[[int], bool] | None = None) -> str:
        """Work until nothing is runnable here.

        Args:
            token: The slot that the wake-up named.
            budget: Asked after each batch with the number of tasks run so far; False ends the loop although more
                may be runnable.

        Returns:
            ``i`` idle, ``d`` draining, ``g`` the slot is gone, ``h`` the budget is spent.
        """
        start = self.executed
        wish = self._wish()
        answer = self._received(self._claim(wish, token))
        pause = 0.0005
        while True:
            if answer.tasks:
                pause = 0.0005
                is_last = budget is not None and not budget(self.executed - start + len(answer.tasks))
                next_wish = NOTHING if is_last or self.page.is_draining() else self._wish()
                answer = self._run_batch(wish.claim_id, answer.tasks, next_wish)
                wish = next_wish
                if next_wish is NOTHING and not answer.tasks:
                    return "d" if self.page.is_draining() else "h"
            elif answer.signal == "a":
                time.sleep(pause)
                pause = min(0.02, pause * 2)
                wish = self._wish()
                answer = self._received(self._claim(wish, None))
            else:
                return answer.signal or "i"

    def reconnect(self, connect: Callable[[], Connection]) -> None:
        """Replace a broken connection; the slot and its page stay."""
        with contextlib.suppress(Exception):
            self.calls.connection.close()
        self.calls.connection = connect()

    def _run_batch(self, claim_id: str, tasks: list[ClaimedTask], wish: Wish) -> Answer:
        """Run a claimed batch and report it; give back what does not fit into the time."""
        if tasks[-1].crashes or any(task.crashes for task in tasks):
            tasks.sort(key=lambda task: task.crashes)  # a task that has killed its process runs last and alone
        self.page.begin(claim_id, tasks)
        self._stale = False
        deadline = time.monotonic() + self.environment.settings.batch.total_seconds()
        finished = Finished()
        connection = self.calls.connection
        usage = resource.getrusage(resource.RUSAGE_SELF)
        cpu = usage.ru_utime + usage.ru_stime
        begun = now = time.perf_counter()
        spent: dict[int, tuple[int, float]] = {}
        position = 0
        for position, task in enumerate(tasks):
            if task.crashes and len(finished):
                self._received(self.calls.advance(claim_id, finished, NOTHING))
                finished = Finished()
            if not self.page.start(position) or (
                position and (time.monotonic() > deadline or self.page.is_draining() or self._stale)
            ):
                self._flush_and_give_back(claim_id, finished, tasks[position:])
                finished = Finished()
                break
            outcome, context = execute_task(self.environment, connection, task, self._job(task), self._is_current)
            started, now = now, time.perf_counter()
            usage = resource.getrusage(resource.RUSAGE_SELF)
            cpu, cpu_before = usage.ru_utime + usage.ru_stime, cpu
            count, seconds = spent.get(task.route_id, (0, 0.0))
            spent[task.route_id] = (count + 1, seconds + now - started)
            if context is not None and context.progress_bars:
                self._report_progress(claim_id, task, context.progress_bars)
            times = (int((started - begun) * 1e6), int((now - started) * 1e6), int((cpu - cpu_before) * 1e6))
            if isinstance(outcome, Computed):
                _add(finished, task, times, usage.ru_maxrss * 1024, outcome)
            else:
                if len(finished):
                    self._received(self.calls.advance(claim_id, finished, NOTHING))
                    finished = Finished()
                self._fail(claim_id, task, times, usage.ru_maxrss * 1024, outcome)
        for route_id, (count, seconds) in spent.items():
            self.pace.learn(route_id, count, seconds)
            self.executed += count
        self.cursor = tasks[-1].job_id
        if faults.seam is not None:
            faults.seam("before_commit")
        answer = self.calls.advance(claim_id, finished, wish) if len(finished) else self._after_failures(wish)
        self.page.end()
        return self._received(answer)

    def _after_failures(self, wish: Wish) -> Answer:
        return Answer() if wish is NOTHING else self._claim(wish, None)

    def _flush_and_give_back(self, claim_id: str, finished: Finished, rest: list[ClaimedTask]) -> None:
        if len(finished):
            self._received(self.calls.advance(claim_id, finished, NOTHING))
        self._received(self.calls.give_back(claim_id, rest))

    def _fail(self, claim_id: str, task: ClaimedTask, times: tuple[int, int, int], peak_rss: int, outcome: Failed) -> None:
        failed = Finished()
        _add(failed, task, times, peak_rss, Computed(outcome.display))
        self._received(self.calls.fail(claim_id, failed, [outcome.error], [outcome.delay_us], [outcome.is_final]))

    def _report_progress(self, claim_id: str, task: ClaimedTask, bars: dict[str, object]) -> None:
        from tilebox_celery.ledger.progress import report_progress

        report_progress(self.calls.connection, claim_id, task, bars)

    def _claim(self, wish: Wish, token: int | None) -> Answer:
        if faults.seam is not None:
            faults.seam("before_claim")
        answer = self.calls.claim(wish, token)
        if faults.seam is not None and answer.tasks:
            faults.seam("after_claim")
        return answer

    def _received(self, answer: Answer) -> Answer:
        if answer.jobs:
            if len(self._jobs) > 1000:
                self._jobs.clear()
            self._jobs.update(answer.jobs)
        if answer.stale:
            self._stale = True
            for job_id, task_id in answer.stale:
                logger.warning("attempt was superseded job=%s task=%s", job_id, task_id)
        if answer.wake_ups:
            if faults.seam is not None:
                faults.seam("before_wake_up")
            self.publish(answer.wake_ups)
        return answer

    def _wish(self) -> Wish:
        if self.pace.share_is_old():
            row = self.calls.connection.execute(SHARE, (self.calls.slot_id,)).fetchone()
            self.pace.share = max(1, row[0]) if row else 1
        return Wish(new_claim_id(), self.cursor, MAX_BATCH, self.pace.share, *self.pace.caps())

    def _job(self, task: ClaimedTask) -> JobRef:
        return self._jobs[task.job_id]

    def _is_current(self) -> bool:
        return not self._stale


def _add(finished: Finished, task: ClaimedTask, times: tuple[int, int, int], peak_rss: int, outcome: Computed) -> None:
    finished.job_ids.append(task.job_id)
    finished.task_ids.append(task.id)
    finished.start_us.append(times[0])
    finished.run_us.append(times[1])
    finished.cpu_us.append(times[2])
    finished.peak_rss.append(peak_rss)
    finished.displays.append(outcome.display)
    finished.results.append(outcome.result)
    has_subtasks = outcome.batch is not None and outcome.routes is not None
    finished.has_subtasks.append(has_subtasks)
    if outcome.batch is not None and outcome.routes is not None:
        finished.family.add(outcome.batch, outcome.routes)
