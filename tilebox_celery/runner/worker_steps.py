"""Bootsteps that make a Celery worker a runner: registration, slots, keeper, listener, queue, drain."""

import logging
import os
import socket
from functools import partial
from typing import Any

import psycopg
from celery import bootsteps
from celery.signals import worker_process_init
from celery.worker import state as worker_state

from tilebox_celery.caches import check_pool
from tilebox_celery.dispatch.app import queue_name
from tilebox_celery.dispatch.event_channel import EventChannel
from tilebox_celery.dispatch.no_broker import is_without_broker
from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.ledger.open import ledger_schema
from tilebox_celery.ledger.runners import register_runner, wanted_version
from tilebox_celery.postgres.connection import connect
from tilebox_celery.runner import worker_process
from tilebox_celery.runner.bells import Bells
from tilebox_celery.runner.drain import install_drain
from tilebox_celery.runner.keeper_process import KeeperProcess
from tilebox_celery.runner.listener import Listener
from tilebox_celery.runner.page import Pages
from tilebox_celery.runner.pool_size import limit_growth, send_home_before_shrinking
from tilebox_celery.runner.slots import RunnerSpec
from tilebox_celery.runner.worker_options import drop_time_limits, fix_autoscale

logger = logging.getLogger("tilebox_celery.runner")
SPARE_PAGES = 16


class RunnerStep(bootsteps.StartStopStep):  # type: ignore[misc] # Celery has no types
    """Registers the worker as a runner before the pool forks, and keeps it one."""

    requires = ("celery.worker.components:Hub", "celery.worker.components:Pool")

    def __init__(self, worker: Any, **options: Any) -> None:
        super().__init__(worker, **options)
        self.worker = worker
        self._is_closing = False
        self.runner = runner = worker.app.tilebox_runner
        drop_time_limits(worker)
        fix_autoscale(worker)
        self.is_prefork = worker.pool_cls.__module__ == "celery.concurrency.prefork"
        concurrency = worker.max_concurrency or worker.concurrency
        if worker.pool_cls.__module__ == "celery.concurrency.solo":
            concurrency = 1
        self.concurrency = concurrency
        self.is_without_broker = is_without_broker(worker.app)
        if self.is_without_broker:
            logger.warning("no broker is configured: wake-ups come by NOTIFY alone, and monitors see no worker")
        if runner.cache is not None:
            check_pool(runner.cache, concurrency if self.is_prefork else 1)
        self.pages = Pages(concurrency * 2 + SPARE_PAGES if self.is_prefork else concurrency)
        self.bells = Bells(self.pages.slots) if self.is_prefork and not any(self._limits()) else None
        self.runner_id = self._register()
        self.spec = RunnerSpec(
            self.runner_id,
            runner.ledger_url,
            runner.cluster,
            runner.registry,
            runner.cache,
            runner.context_class,
            runner.settings,
            self.pages,
            runner.publish,
            EventChannel(runner.broker_url, worker.hostname) if worker.task_events and runner.broker_url else None,
            self.bells,
        )
        worker_process.offer(self.spec)
        self.keeper = KeeperProcess(self.runner_id, runner.ledger_url, runner.broker_url, self.pages, runner.settings)
        self.listener = Listener(runner.ledger_url, self.runner_id, self.wake) if self._notified else None
        _select_queue(worker.app, self.runner_id)
        worker.app.tilebox_wake = self.wake
        if self.is_prefork:
            self._open_child = lambda **_: worker_process.open_child(self.runner_id)
            worker_process_init.connect(self._open_child)

    @property
    def _notified(self) -> bool:
        wants_notify = self.runner.settings.wake_by == "notify" or self.is_without_broker
        return bool(wants_notify and self.worker.use_eventloop)

    def start(self, worker: Any) -> None:
        """Open slots outside of prefork, start the keeper, take the signals."""
        if not self.is_prefork:
            worker_process.open_slots(self.runner_id, range(self.concurrency))
        limit_growth(worker.pool, self.pages.slots)
        if self.bells is not None:
            send_home_before_shrinking(worker.pool, self.bells, worker.timer.call_after, partial(self.wake, None))
        self.keeper.start()
        worker.timer.call_repeatedly(1.0, self.keeper.start)
        worker.timer.call_repeatedly(1.0, self._leave_if_outdated)
        self._signals = None
        if _in_main_thread():
            self._signals = install_drain(self._drain, self.keeper, _warm_stop)

    def register_with_event_loop(self, worker: Any, hub: Any) -> None:
        """Listen for NOTIFY."""
        if self.listener is not None:
            self.listener.register(hub)

    def wake(self, token: int | None) -> None:
        """Ring the bell of a slot, or hand its loop to the pool; None: all slots, after a time without ears."""
        if self.pages.is_draining():
            return
        for _ in range((self.concurrency if token is None else 1) - self._ring(token)):
            self.worker.pool.apply_async(
                worker_process.run_slot,
                (self.runner_id, token, *self._limits()),
                callback=_ignore,
                accept_callback=_ignore,
                error_callback=_ignore,
                timeout_callback=_ignore,
            )

    def _ring(self, token: int | None) -> int:
        """Wake the slot itself, or all of them, and return how many are in their loops."""
        if self.bells is None:
            return 0
        if token is None:
            return sum(map(self.bells.ring, range(self.bells.count)))
        number = self.pages.find(token)
        return int(number is not None and self.bells.ring(number))

    def _drain(self) -> None:
        """Tell the slots to claim nothing more; safe in a signal handler."""
        self.pages.drain()
        if self.bells is not None:
            self.bells.ring_all()

    def close(self, worker: Any) -> None:
        """Claim nothing more."""
        self._is_closing = True
        self._drain()
        if self.listener is not None:
            self.listener.close()

    def stop(self, worker: Any) -> None:
        """Leave the ledger; what a slot still holds is the keeper's."""
        self._leave()

    terminate = stop

    def _leave_if_outdated(self) -> None:
        """End the worker when the keeper has heard that the ledger wants newer code."""
        if not self.pages.is_draining() or worker_state.should_stop is not None or self._is_closing:
            return
        try:
            with connect(self.runner.ledger_url, name="tilebox-celery worker") as connection:
                wanted = str(wanted_version(connection))
        except (psycopg.Error, TileboxCeleryError):
            wanted = "a newer one"
        logger.warning(
            "this worker ends: its code has ledger schema %s, and the ledger wants %s; "
            "install the newer tilebox-celery and start it again",
            ledger_schema().version,
            wanted,
        )
        _warm_stop()

    def _leave(self) -> None:
        if self.is_prefork:
            worker_process_init.disconnect(self._open_child)
        worker_process.forget(self.runner_id)
        self.worker.app.amqp.queues.deselect(queue_name(self.runner_id))

    def _limits(self) -> tuple[int | None, int | None]:
        return self.worker.max_tasks_per_child or None, self.worker.max_memory_per_child or None

    def _register(self) -> int:
        from tilebox_celery.runner.task_runner import code_version

        runner = self.runner
        with connect(runner.ledger_url, name="tilebox-celery worker") as connection:
            return register_runner(
                connection,
                runner.cluster,
                runner.registry.identifiers,
                name=self.worker.hostname,
                host=socket.gethostname(),
                pid=os.getpid(),
                code_version=code_version(),
                wake_by="notify" if self._notified else "broker",
                slots=self.concurrency,
            )


def _select_queue(app: Any, runner_id: int) -> None:
    """Consume the queue of this runner, and not Celery's default one, in which other projects' tasks may wait.

    Done before the worker prints which queues it consumes; its consumer declares them, again after each reconnect.
    """
    name = queue_name(runner_id)
    app.amqp.queues.select_add(
        name,
        exchange="",
        routing_key=name,
        durable=False,
        auto_delete=True,
        no_ack=True,  # the queue goes with the worker anyway: keeping receipts costs round trips
        queue_arguments={"x-expires": 3_600_000},
    )
    app.amqp.queues.deselect(app.conf.task_default_queue)


def _warm_stop() -> None:
    worker_state.should_stop = 0


def _ignore(*_: object, **__: object) -> None:
    """Take a pool callback that says nothing to us."""


def _in_main_thread() -> bool:
    import threading

    return threading.current_thread() is threading.main_thread()
