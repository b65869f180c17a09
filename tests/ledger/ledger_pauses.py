"""Stop a call of the ledger between any two of its statements, and let another call run there.

`install_pauses` writes ``tbx.pause()`` behind every statement of every function. `Session` runs a call in a thread and
can stop it at the n-th of them; everybody else runs through at the price of a function call. A call also waits when
it sleeps before another look at what somebody else holds, as skip_subtree does.
"""

import re
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ledger_driver import LedgerDriver
from ledger_mutants import Mutant, mutate

from tilebox_celery.postgres.connection import Connection, connect

_GATE = 9001
_PAUSE = b"""
    create or replace function tbx.pause() returns void language plpgsql as $$
    declare
        v_at int := coalesce(nullif(current_setting('tbx.at', true), ''), '0')::int + 1;
    begin
        perform set_config('tbx.at', v_at::text, false);
        if v_at::text = current_setting('tbx.stop', true) then
            perform pg_advisory_lock_shared(9001, pg_backend_pid());
            perform pg_advisory_unlock_shared(9001, pg_backend_pid());
        end if;
    end $$"""

_WAITS = b"""
    select locktype, classid::int from pg_locks where pid = %s and not granted
    union all select 'sleep', null from pg_stat_activity where pid = %s and wait_event = 'PgSleep'"""


def with_pauses(source: str, pause: str = "perform tbx.pause();") -> str:
    """Return the source of a function with a call behind each statement of its body."""
    lines = source.split("\n")
    if not any(line.strip() == "begin" for line in lines):
        return source  # not in PL/pgSQL
    body = next(number for number, line in enumerate(lines) if line.strip() == "begin")
    written = lines[: body + 1]
    for line, after in zip(lines[body + 1 :], [*lines[body + 2 :], ""], strict=True):
        written.append(line)
        ends_statement = line.partition("--")[0].rstrip().endswith(";") and not line.startswith("end $$")
        if ends_statement and not re.search(r"\bfound\b|get diagnostics", after):  # these speak of the last statement
            written.append(pause)
    return "\n".join(written)


def install_pauses(connection: Connection, *mutants: Mutant) -> None:
    """Install all functions with pauses, some of them wrong on purpose."""
    connection.execute(_PAUSE, prepare=False)
    for source in mutate(*mutants).values():
        connection.execute(with_pauses(source).encode(), prepare=False)


class Session:
    """A connection whose calls run in a thread of their own.

    Args:
        url: Of the ledger.
        watcher: Another connection, which sees whether this one waits.
    """

    def __init__(self, url: str, watcher: Connection) -> None:
        self.connection = connect(url, durable=False)
        self.ledger = LedgerDriver(self.connection)
        self.pid = self.connection.info.backend_pid
        self._watcher = watcher
        self._threads = ThreadPoolExecutor(1)
        self._call: Future[Any] | None = None

    def start(self, call: Callable[[LedgerDriver], Any], stop_at: int | None = None) -> None:
        """Start a call that stops at its n-th pause, counted from 1."""
        stop = "" if stop_at is None else str(stop_at)
        self.connection.execute(b"select set_config('tbx.at', '0', false), set_config('tbx.stop', %s, false)", (stop,))
        if stop_at is not None:
            self._watcher.execute(b"select pg_advisory_lock(%s, %s)", (_GATE, self.pid))
        self._call = self._threads.submit(call, self.ledger)

    def wait_until_quiet(self) -> str:
        """Wait until the call has ended (``done``), is at its pause (``paused``) or waits for a lock (``waits``)."""
        assert self._call is not None
        while not self._call.done():
            for locktype, classid in self._watcher.execute(_WAITS, (self.pid, self.pid)):
                return "paused" if (locktype, classid) == ("advisory", _GATE) else "waits"
            time.sleep(0.0005)  # nothing tells when somebody begins to wait
        return "done"

    def go_on(self) -> None:
        """Let the call leave its pause."""
        self._watcher.execute(b"select pg_advisory_unlock(%s, %s)", (_GATE, self.pid))

    def result(self) -> Any:
        """Wait for the call and return what it returned, or raise what it raised."""
        assert self._call is not None
        return self._call.result(timeout=30)

    def close(self) -> None:
        """End the thread and the connection, and with them a call that still waits."""
        self._watcher.execute(b"select pg_terminate_backend(%s)", (self.pid,))
        self._threads.shutdown()
        self.connection.close()
