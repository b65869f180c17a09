"""One process starts, uses and stops the embedded servers."""

import os
import stat
import statistics
import subprocess
import sys
import time
from pathlib import Path

import kombu
import psutil
import redis
import sqlalchemy

from tilebox_celery.embedded import down

LOADED = """
import sys
from pathlib import Path
from tilebox_celery.embedded import start
start(Path(sys.argv[1]))
print([name for name in ('psycopg', 'redis', 'kombu', 'sqlalchemy', 'asyncio') if name in sys.modules])
"""


def test_ledger_answers_psycopg_and_sqlalchemy(new_home, ask):
    """The ledger URL works as it is for psycopg and, with a driver, for SQLAlchemy."""
    stack = new_home.start()

    direct = ask(stack.ledger_url, "SELECT current_database() || ' ' || pg_encoding_to_char(6) || ' ' || lower('Ä')")
    engine = sqlalchemy.create_engine(stack.ledger_url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        core = connection.scalar(sqlalchemy.text("SELECT datcollate FROM pg_database WHERE datname = 'tilebox'"))
    engine.dispose()

    assert direct == "tilebox UTF8 Ä"
    assert core == "C"


def test_broker_carries_a_message(home):
    """The broker URL works as it is for kombu."""
    stack = home.start()

    with kombu.Connection(stack.broker_url) as connection:
        queue = connection.SimpleQueue("greeting")
        queue.put({"hello": 1})
        received = queue.get(timeout=5).payload
        queue.close()

    assert received == {"hello": 1}


def test_later_calls_are_cheap(home):
    """A start where all runs already takes less than 20 ms, loads neither client library and changes nothing."""
    first = home.start()
    times = []

    for _ in range(20):
        begin = time.perf_counter()
        assert home.start() == first
        times.append(time.perf_counter() - begin)
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            LOADED,
            str(home.path),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert statistics.median(times) < 0.02
    assert loaded.strip() == "[]"


def test_no_tcp_port_and_nobody_else_gets_in(new_home):
    """The servers listen on no address, and folders and sockets are for their owner alone."""
    new_home.start()
    status = new_home.status()

    addresses = [
        connection
        for pid in (status.postgres_pid, status.valkey_pid, status.supervisor_pid)
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))
        for connection in process.net_connections("inet")
    ]
    modes = {
        path.relative_to(new_home.path).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in (
            new_home.path,
            *new_home.path.glob("*"),
            new_home.path / "run/.s.PGSQL.5432",
            new_home.path / "run/valkey.sock",
        )
    }

    assert addresses == []
    assert modes == dict.fromkeys(
        [".", "log", "postgres", "run", "run/.s.PGSQL.5432", "run/valkey.sock", "valkey"], 0o700
    )


def test_postgres_is_never_root(home):
    """PostgreSQL runs as an ordinary user even where the stack was started by root."""
    home.start()

    process = psutil.Process(home.status().postgres_pid)

    assert process.uids().effective != 0


def test_down_stops_both_and_data_stays(home, ask, is_alive):
    """down() stops both servers at once, says whether anything ran, and the next start finds the data."""
    stack = home.start()
    ask(stack.ledger_url, "CREATE TABLE kept AS SELECT 7 AS seven")
    client = redis.Redis(unix_socket_path=stack.broker_url.removeprefix("redis+socket://"))
    client.set("kept", "8")
    client.close()
    before = home.status()

    stopped = [down(home.path), down(home.path)]
    left = [pid for pid in (before.postgres_pid, before.valkey_pid, before.supervisor_pid) if is_alive(pid)]
    stack = home.start()

    assert stopped == [True, False]
    assert left == []
    assert ask(stack.ledger_url, "SELECT seven FROM kept") == 7
    with redis.Redis(unix_socket_path=stack.broker_url.removeprefix("redis+socket://")) as client:
        assert client.get("kept") == b"8"


def test_down_of_nothing(new_home):
    """down() of a directory that does not exist says so and does not make it."""
    stopped = down(new_home.path)

    assert stopped is False
    assert not new_home.path.exists()


def test_status_tells_what_runs(home):
    """status() gives pids, URLs, users and sizes while it runs, and sizes alone afterwards."""
    stack = home.start()

    during = home.status()
    down(home.path)
    after = home.status()

    assert (during.running, during.ledger_url, during.broker_url) == (True, stack.ledger_url, stack.broker_url)
    assert during.user_pids == (os.getpid(),)
    assert during.postgres_bytes > 20_000_000
    assert (after.running, after.supervisor_pid, after.postgres_pid, after.valkey_pid) == (False, None, None, None)
    assert after.postgres_bytes > 20_000_000


def test_long_path_gets_short_sockets(new_home, ask):
    """Below a path that no socket address can hold, the sockets move to a private folder that goes with the servers."""
    deep = type(new_home)(new_home.path / ("d" * 100) / "a b,c'")
    try:
        stack = deep.start()
        sockets = Path(stack.broker_url.removeprefix("redis+socket://")).parent
        mode = stat.S_IMODE(sockets.stat().st_mode)

        answer = ask(stack.ledger_url, "SELECT 1")
        down(deep.path)
    finally:
        deep.close()

    assert answer == 1
    assert mode == 0o700
    assert sockets.parent == Path("/tmp")
    assert not sockets.exists()


def test_taken_short_folder_is_not_trusted(new_home, tmp_path):
    """A short folder that is a link to somewhere else is left alone for one that nobody can guess."""
    deep = type(new_home)(new_home.path / ("d" * 120))
    try:
        first = Path(deep.start().broker_url.removeprefix("redis+socket://")).parent
        down(deep.path)
        first.symlink_to(tmp_path)

        second = Path(deep.start().broker_url.removeprefix("redis+socket://")).parent
    finally:
        deep.close()
        first.unlink(missing_ok=True)

    assert second != first
    assert second.name.startswith(first.name)
    assert list(tmp_path.iterdir()) == []


def test_script_commands(home):
    """python -m tilebox_celery.embedded starts, shows and stops the stack of TILEBOX_CELERY_HOME."""
    environment = {**os.environ, "TILEBOX_CELERY_HOME": str(home.path)}

    said = [
        subprocess.run(
            [sys.executable, "-m", "tilebox_celery.embedded", command],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for command in ("up", "status", "down")
    ]

    assert f"ledger postgresql://postgres@/tilebox?host={home.path}/run" in said[0]
    assert "running True" in said[1]
    assert said[2] == "stopped\n"
