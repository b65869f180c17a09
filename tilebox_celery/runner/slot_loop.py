"""The loop of one slot: claim, run, advance, wake, until nothing is runnable for it."""

import logging
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Protocol

import psycopg

from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.ledger.calls import NOTHING, Answer, ClaimedTask, Finished, JobRef, WakeUp, Wish, new_claim_id
from tilebox_celery.model.context import ProgressUpdate
from tilebox_celery.model.text import cut_error
from tilebox_celery.runner.batch import Meter, add_finished
from tilebox_celery.runner.bells import Bell
from tilebox_celery.runner.events import TaskEvents
from tilebox_celery.runner.execution import Environment, execute_task
from tilebox_celery.runner.outcome import Computed, Failed, Interrupted
from tilebox_celery.runner.pace import MAX_BATCH, Pace
from tilebox_celery.runner.reports import Reports
from tilebox_celery.runner.task_calls import TaskCalls

logger = logging.getLogger("tilebox_celery.runner")
SHARE = (
    b"select coalesce(sum(r.slot_count), 1)::int from tbx.runners r join tbx.slots s on s.cluster_id = r.cluster_id"
    b" where s.id = %s and r.state = 'live'"
)
UNSTORABLE = "The ledger cannot store what this task produced"
Publish = Callable[[Sequence[WakeUp]], None]


class SlotPage(Protocol):
    """Where a slot publishes which task of its batch it runs, for the keeper."""

    def begin(self, claim_id: str, tasks: Sequence[ClaimedTask]) -> None: ...
    def start(self, position: int) -> bool: ...
    def holds(self) -> bool: ...
    def end(self) -> None: ...
    def is_draining(self) -> bool: ...


class SlotLoop:
    """One slot at work.

    Args:
        reports: The ledger as this slot sees it.
        environment: Of the runner.
        publish: Sends wake-ups that the ledger asks for.
        page: Shared with the keeper.
        events: Tells Celery's monitors of tasks; None while nobody asked for events.
        bell: Wakes a loop that rests; without one it ends when it is idle.
    """

    def __init__(
        self,
        reports: Reports,
        environment: Environment,
        publish: Publish,
        page: SlotPage,
        events: TaskEvents | None = None,
        bell: Bell | None = None,
    ) -> None:
        self.reports = reports
        self.environment = environment
        self.publish = publish
        self.page = page
        self.events = events
        self.bell = bell
        self.pace = Pace(environment.settings.batch.total_seconds())
        self.cursor = 0
        self.executed = 0
        self._jobs: dict[int, JobRef] = {}
        self._stale = False

    def run(self, token: int | None = None, goes_on: Callable[[int], bool] | None = None) -> str:
        """Work until nothing is runnable here; with a bell, until the worker stops.

        Args:
            token: The slot that the wake-up named.
            goes_on: Asked after each batch with the number of tasks run so far; False ends the loop although more
                may be runnable. It also ends an idle loop that has a bell.

        Returns:
            ``i`` idle, ``d`` draining, ``g`` the slot was given up, ``h`` told not to go on.
        """
        if self.bell is not None and goes_on is None:
            self.bell.arm()
        try:
            return self._run(token, goes_on)
        except Interrupted:
            raise  # whoever took the signal gives back
        except BaseException:
            # A mistake of ours, or a ledger that refuses what it should not: let others try, and not in a hot loop.
            logger.exception("the loop of slot %s failed", self.reports.calls.slot_id)
            time.sleep(1.0)
            self._received(self.reports.give_back(None, None, "the slot loop failed"))
            self._received(self.reports.yield_slot())
            raise
        finally:
            if self.bell is not None:
                self.bell.disarm()
            self._flush()

    def _run(self, token: int | None, goes_on: Callable[[int], bool] | None) -> str:
        start = self.executed
        pause = 0.0002
        wish = self._wish()
        answer = self._received(self.reports.claim(wish, token))
        while True:
            if answer.tasks:
                pause = 0.0002
                is_last = goes_on is not None and not goes_on(self.executed - start + len(answer.tasks))
                next_wish = NOTHING if is_last or self.page.is_draining() else self._wish()
                answer = self._run_batch(wish.claim_id, answer.tasks, next_wish)
                wish = next_wish
                if next_wish is NOTHING:
                    if self.page.is_draining():
                        return "d"
                    self._received(self.reports.yield_slot())
                    return "h"
            elif self.page.is_draining():
                return "d"
            elif answer.signal == "a":
                time.sleep(pause)
                pause = min(0.02, pause * 2)
                wish = self._wish()
                answer = self._received(self.reports.claim(wish))
            elif self.bell is not None and goes_on is None and answer.signal == "i":
                self._flush()
                if not self.bell.rest(self.page.is_draining):
                    return "i"
                pause = 0.0002
                wish = self._wish()
                answer = self._received(self.reports.claim(wish))
            else:
                return answer.signal or "i"

    def _flush(self) -> None:
        """Send what waits to be sent, before a time of nothing to do."""
        if self.events is not None:
            self.events.flush()
        if "tilebox_celery.observability.export" in sys.modules:  # somebody configured an export
            from tilebox_celery.observability import export

            export.flush()  # children are ended without their exit handlers

    def _run_batch(self, claim_id: str, tasks: list[ClaimedTask], wish: Wish) -> Answer:
        """Run a claimed batch and report it; give back what does not fit into the time."""
        if any(task.crashes for task in tasks):
            tasks.sort(key=lambda task: task.crashes)  # what has killed its process before runs last, and alone
        self.page.begin(claim_id, tasks)
        self._stale = False
        meter = Meter(self.environment.settings.batch.total_seconds())
        finished = Finished()
        for position, task in enumerate(tasks):
            if task.crashes and len(finished):
                self._report(claim_id, finished)
                finished = Finished()
            if (
                not self.page.start(position)
                or self.page.is_draining()
                or (position and (meter.is_over or self._stale))
            ):
                if len(finished):
                    self._report(claim_id, finished)
                    finished = Finished()
                self._received(self.reports.give_back(claim_id, tasks[position:]))
                break
            job = self._jobs[task.job_id]
            told = self.events is not None and self._tell_start(task, job)
            calls = TaskCalls(self.reports, claim_id, task)
            outcome, context = execute_task(self.environment, self.reports.ask, task, job, self._is_current, calls)
            times = meter.lap(task.route_id)
            bars = context.progress_bars if context is not None else None
            outcome = self._gather(claim_id, finished, task, times, outcome, bars)
            if self.events is not None:
                self.events.ended(task, job, self._name(task), outcome, times[1], told)
            if isinstance(outcome, Failed):
                if len(finished):
                    self._report(claim_id, finished)
                    finished = Finished()
                self._fail(claim_id, task, times, outcome)
        self.executed += meter.learn(self.pace)
        self.cursor = tasks[-1].job_id
        answer = self._report(claim_id, finished, wish) if len(finished) else self._claim_after(wish)
        self.page.end()
        if self.events is not None:
            self.events.flush_if_due()
        return answer

    def _gather(
        self,
        claim_id: str,
        finished: Finished,
        task: ClaimedTask,
        times: tuple[int, int, int, int],
        outcome: Computed | Failed,
        bars: dict[str, ProgressUpdate] | None,
    ) -> Computed | Failed:
        """Put what a task left into the report; a mistake in that fails this task, and its batch mates are kept."""
        count = len(finished)
        try:
            if bars or task.attempt > 1:  # the last attempt counts, also if it says nothing
                self.reports.progress(claim_id, task, bars or {})
            if isinstance(outcome, Computed):
                add_finished(finished, task, times, outcome)
        except Exception as error:
            if self.reports.may_repeat(error):
                raise  # the slot is told to stop: its task is given back
            logger.exception("what task %s of job %s left cannot be stored", task.id, task.job_id)
            finished.cut(count)
            if isinstance(outcome, Computed):
                return Failed(None, cut_error(f"{UNSTORABLE}:\n{traceback.format_exc()}"))
        return outcome

    def _tell_start(self, task: ClaimedTask, job: JobRef) -> bool:
        """Tell the start of a task that is known to be long, or not known at all."""
        assert self.events is not None, "the caller looked"
        if not self.pace.is_long(task.route_id):
            return False
        self.events.starts(task, job, self._name(task))
        return True

    def _name(self, task: ClaimedTask) -> str:
        try:
            find = self.environment.registry.entry
            return self.reports.ask(lambda connection: find(connection, task.route_id)).identifier.name
        except TileboxCeleryError:
            return f"route {task.route_id}"

    def _claim_after(self, wish: Wish) -> Answer:
        return Answer() if wish is NOTHING else self._received(self.reports.claim(wish))

    def _report(self, claim_id: str, finished: Finished, wish: Wish = NOTHING) -> Answer:
        try:
            return self._received(self.reports.advance(claim_id, finished, wish))
        except Exception as error:
            if self.reports.may_repeat(error):
                raise
            # One task produced what the ledger cannot hold: it fails alone, the others are kept.
            for one in finished.split():
                try:
                    self._received(self.reports.advance(claim_id, one, NOTHING))
                except Exception as refusal:
                    if self.reports.may_repeat(refusal):
                        raise
                    text = cut_error(f"{UNSTORABLE}: {error}")
                    self._received(self.reports.fail(claim_id, one, [text], [0], [True]))
            return self._claim_after(wish)

    def _fail(self, claim_id: str, task: ClaimedTask, times: tuple[int, int, int, int], outcome: Failed) -> None:
        failed = Finished()
        add_finished(failed, task, times, Computed(outcome.display))
        self._received(self.reports.fail(claim_id, failed, [outcome.error], [outcome.delay_us], [outcome.is_final]))

    def _received(self, answer: Answer) -> Answer:
        if answer.jobs:
            if len(self._jobs) > 1000:
                self._jobs = {self.cursor: self._jobs[self.cursor]} if self.cursor in self._jobs else {}
            self._jobs.update(answer.jobs)
        if answer.stale:
            self._stale = True
            for job_id, task_id in answer.stale:
                logger.warning("an attempt was superseded: job=%s task=%s", job_id, task_id)
        if answer.wake_ups:
            self.publish(answer.wake_ups)
        return answer

    def _wish(self) -> Wish:
        if self.pace.share_is_old():
            self.pace.share = self._slots_of_cluster()
        return Wish(new_claim_id(), self.cursor, MAX_BATCH, self.pace.share, *self.pace.caps())

    def _slots_of_cluster(self) -> int:
        try:
            row = self.reports.connection.execute(SHARE, (self.reports.calls.slot_id,)).fetchone()
        except psycopg.OperationalError:  # the next call notices, and mends it
            return self.pace.share
        return max(1, row[0]) if row else 1

    def _is_current(self) -> bool:
        return not self._stale and self.page.holds()
