"""The stack starts over whatever earlier, killed or foreign processes left in the directory."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tilebox_celery.embedded import down, leave
from tilebox_celery.embedded.unprivileged import command as as_nobody


def test_stale_pid_and_socket_files(home, ask):
    """Lock and socket files of a dead server do not stop a new one, even when a stranger now has its pid."""
    stack = home.start()
    ask(stack.ledger_url, "CREATE TABLE kept AS SELECT 7 AS seven")
    pid_file = home.path / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    down(home.path)
    stranger = subprocess.Popen(as_nobody(["/bin/sleep", "60"]))  # the user that PostgreSQL could send signals to
    lines[0] = str(stranger.pid)
    pid_file.write_text("\n".join(lines) + "\n")
    (home.path / "run/.s.PGSQL.5432.lock").write_text("\n".join([str(stranger.pid), *lines[1:5]]) + "\n")
    (home.path / "run/.s.PGSQL.5432").touch()
    (home.path / "run/valkey.sock").touch()
    (home.path / "run/state.json").write_text("{half")

    stack = home.start()
    stranger_lives = stranger.poll() is None
    stranger.kill()
    stranger.wait()

    assert ask(stack.ledger_url, "SELECT seven FROM kept") == 7
    assert stranger_lives


def test_unclean_pid_file(home, ask):
    """A torn postmaster.pid does not stop the next start."""
    home.start()
    down(home.path)
    (home.path / "postgres" / "postmaster.pid").write_text("\0\0garbage")

    stack = home.start()

    assert ask(stack.ledger_url, "SELECT 1") == 1


def test_half_built_directory(new_home, ask):
    """Data that never became whole is set aside or thrown away, and a new ledger is made."""
    for part in ("postgres.new/base", "postgres/base"):
        (new_home.path / part).mkdir(parents=True)
    (new_home.path / "postgres.new/PG_VERSION").write_text("18\n")
    (new_home.path / "postgres/PG_VERSION").write_text("18\n")

    stack = new_home.start()

    assert ask(stack.ledger_url, "SELECT 1") == 1
    assert not (new_home.path / "postgres.new").exists()
    assert len(list(new_home.path.glob("postgres.unusable-*"))) == 1


@pytest.mark.system
@pytest.mark.parametrize("progress", ["postgres.new", "postgres.new/global/pg_control", "postgres/postmaster.pid"])
def test_killed_in_the_middle_of_the_first_start(new_home, ask, eventually, progress):
    """When user and supervisor are killed in the first start, however far it was, the next start succeeds."""
    user = new_home.user()
    eventually((new_home.path / progress).exists)
    supervisor = new_home.status().supervisor_pid

    user.kill()
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: new_home.status().supervisor_pid != supervisor)  # until then one may still join it
    stack = new_home.start()

    assert ask(stack.ledger_url, "SELECT 1") == 1
    assert new_home.status().running


def test_broken_broker_file_is_set_aside(home):
    """An append-only file that cannot be read is kept aside, and the broker begins empty: hints are sent again."""
    stack = home.start()
    with redis.Redis(unix_socket_path=stack.broker_url.removeprefix("redis+socket://")) as client:
        client.set("key", "value" * 20)
    down(home.path)
    (file,) = (home.path / "valkey").glob("appendonlydir/*.incr.aof")
    content = file.read_bytes()
    file.write_bytes(content[:10] + b"x" * 30 + content[40:])

    stack = home.start()

    with redis.Redis(unix_socket_path=stack.broker_url.removeprefix("redis+socket://")) as client:
        assert client.dbsize() == 0
    assert len(list(home.path.glob("valkey.unusable-*"))) == 1


def test_removed_sockets_come_back(home, ask):
    """When a socket file was removed under a running server, the next start brings it back with the data."""
    stack = home.start()
    ask(stack.ledger_url, "CREATE TABLE kept AS SELECT 7 AS seven")
    (home.path / "run/.s.PGSQL.5432").unlink()

    stack = home.start()

    assert ask(stack.ledger_url, "SELECT seven FROM kept") == 7


def test_moved_directory(home, ask):
    """A directory that was moved while its servers ran can be used under its new name at once."""
    stack = home.start()
    ask(stack.ledger_url, "CREATE TABLE kept AS SELECT 7 AS seven")
    moved = type(home)(home.path.with_name("moved"))
    home.path.rename(moved.path)
    try:
        stack = moved.start()

        kept = ask(stack.ledger_url, "SELECT seven FROM kept")
        supervisors = moved.log().count("ready")
    finally:
        moved.close()

    assert kept == 7
    assert supervisors == 2


def test_removed_directory(home, ask, eventually, is_alive):
    """After the directory was removed under running servers a start makes a new one, and the old servers go."""
    home.user().await_start()
    home.start()
    before = home.status()
    shutil.rmtree(home.path)

    stack = home.start()
    eventually(lambda: not any(map(is_alive, (before.valkey_pid, before.postgres_pid, before.supervisor_pid))))

    assert ask(stack.ledger_url, "SELECT 1") == 1
    assert home.status().running
    assert not [link for link in _open_files() if link.endswith("users.lock (deleted)")]


def test_closed_files_of_a_daemon(home):
    """A process that closed all its files counts again with its next start, though the number may be in use."""
    home.start()
    os.close(_open_files()[str(home.path / "run/users.lock")])
    replacement = os.open(os.devnull, os.O_RDONLY)
    gone = home.status().user_pids

    home.start()
    back = home.status().user_pids
    os.close(replacement)
    leave()

    assert gone == ()
    assert back == (os.getpid(),)


def _open_files() -> dict[str, int]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found[str(entry.readlink())] = int(entry.name)
    return found


def test_environment_does_not_reach_the_servers(new_home, ask):
    """Variables that change PostgreSQL's clients and servers do not change ours."""
    environment = {
        **os.environ,
        "PGPORT": "6000",
        "PGDATA": "/nowhere",
        "PGCLIENTENCODING": "LATIN1",
        "LC_ALL": "xx_XX",
        "TILEBOX_CELERY_HOME": str(new_home.path),
    }

    done = subprocess.run(
        [sys.executable, "-m", "tilebox_celery.embedded", "up"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert ask(new_home.start().ledger_url, "SHOW client_encoding") == "UTF8"
