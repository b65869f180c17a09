"""Many processes share one stack, die as they like, and the servers follow the last of them."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tilebox_celery.embedded import down, leave

pytestmark = pytest.mark.system


def test_fifty_first_starts(new_home, ask):
    """Fifty processes that start the same new directory in the same moment get one pair of servers that all can use."""
    users = [new_home.user() for _ in range(50)]

    with ThreadPoolExecutor(50) as pool:
        urls = set(pool.map(lambda user: user.await_start(), users))

    assert len(urls) == 1
    assert ask(urls.pop(), "SELECT 1") == 1
    assert set(new_home.status().user_pids) == {user.process.pid for user in users}
    assert new_home.log().count("starting") == 1


def test_idle_stop_after_kill_of_the_last_user(home, eventually, is_alive):
    """The servers stop when the idle time is over after the last user was killed with -9, and not while one lives."""
    first, second = home.user(0.3), home.user(0.3)
    first.await_start()
    second.await_start()
    before = home.status()

    first.kill()
    eventually(lambda: home.status().user_pids == (second.process.pid,))
    with psycopg.connect(before.ledger_url) as connection:
        connection.execute("SELECT pg_sleep(0.7)")
    stayed = home.status().running
    second.kill()
    eventually(lambda: not is_alive(before.supervisor_pid))

    assert stayed
    assert not is_alive(before.postgres_pid)
    assert not is_alive(before.valkey_pid)
    assert not home.status().running


def test_idle_time_begins_anew(home, eventually, is_alive):
    """A user who comes within the idle time keeps the same servers running, and the whole time counts after him."""
    home.start(0.6)
    before = home.status()

    leave()
    home.start(0.6)
    with psycopg.connect(before.ledger_url) as connection:
        connection.execute("SELECT pg_sleep(0.8)")
    after = home.status()
    left_at = time.monotonic()
    leave()
    eventually(lambda: not is_alive(before.supervisor_pid))
    stayed_seconds = time.monotonic() - left_at

    assert after.running
    assert after.postgres_pid == before.postgres_pid
    assert stayed_seconds > 0.55


def test_forked_child_counts(home, eventually, is_alive):
    """A child made by fork keeps the servers up after its parent has left, until it ends too."""
    home.start(0.2)
    before = home.status()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    os.close(reader)

    leave()
    users = home.status().user_pids
    with psycopg.connect(before.ledger_url) as connection:
        connection.execute("SELECT pg_sleep(0.5)")
    stayed = home.status().running
    os.close(writer)
    os.waitpid(child, 0)
    eventually(lambda: not is_alive(before.postgres_pid))

    assert users == (child,)
    assert stayed


def test_killed_supervisor_is_replaced(home, eventually, is_alive):
    """After kill -9 of the supervisor the servers go on, and the next start makes a new one that stops them at last."""
    user = home.user(0.2)
    user.await_start()
    before = home.status()

    os.kill(before.supervisor_pid, signal.SIGKILL)
    eventually(lambda: not is_alive(before.supervisor_pid))
    with psycopg.connect(before.ledger_url) as connection:
        home.start(0.2)
        alive = connection.execute("SELECT 1").fetchone()
    after = home.status()
    leave()
    user.close()
    eventually(lambda: not is_alive(before.postgres_pid) and not is_alive(before.valkey_pid))

    assert alive == (1,)
    assert (after.postgres_pid, after.valkey_pid) == (before.postgres_pid, before.valkey_pid)
    assert after.supervisor_pid not in (None, before.supervisor_pid)


@pytest.mark.parametrize("victim", ["postgres_pid", "valkey_pid"])
def test_killed_server_comes_back(home, ask, eventually, victim):
    """While somebody uses the stack its supervisor restarts a server that was killed with -9, and nothing is lost."""
    stack = home.start()
    ask(stack.ledger_url, "CREATE TABLE kept AS SELECT 7 AS seven")
    before = home.status()

    os.kill(getattr(before, victim), signal.SIGKILL)
    eventually(lambda: (now := home.status()).running and getattr(now, victim) not in (None, getattr(before, victim)))

    assert ask(stack.ledger_url, "SELECT seven FROM kept") == 7
    assert home.status().supervisor_pid == before.supervisor_pid


def test_everything_killed(home, ask, eventually, is_alive):
    """After a kill -9 of both servers and the supervisor the next start brings all back with their data."""
    stack = home.start()
    ask(stack.ledger_url, "CREATE TABLE kept AS SELECT 7 AS seven")
    before = home.status()

    for pid in (before.supervisor_pid, before.postgres_pid, before.valkey_pid):
        os.kill(pid, signal.SIGKILL)
        eventually(lambda dead=pid: not is_alive(dead))
    stack = home.start()

    assert ask(stack.ledger_url, "SELECT seven FROM kept") == 7
    assert home.status().running


def test_down_without_supervisor(home, is_alive):
    """down() stops the servers even when their supervisor was killed."""
    home.start()
    before = home.status()
    os.kill(before.supervisor_pid, signal.SIGKILL)

    stopped = down(home.path)

    assert stopped
    assert not is_alive(before.postgres_pid)
    assert not is_alive(before.valkey_pid)


def test_crashing_server_is_given_up(home, eventually, is_alive):
    """A server that dies again and again is not restarted for ever, and a later start tries afresh."""
    home.start()
    supervisor = home.status().supervisor_pid

    while is_alive(supervisor):
        if (pid := home.status().valkey_pid) and is_alive(pid):
            os.kill(pid, signal.SIGKILL)
            eventually(lambda dead=pid: not is_alive(dead))
    given_up = home.log()
    home.start()

    assert "died 4 times in a row" in given_up
    assert home.status().running
