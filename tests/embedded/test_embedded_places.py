"""A data directory that cannot be used is one sentence in `start`, `down`, `status` and `doctor`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded.test_embedded_refusals import mount_tmpfs, read_only, root_only  # noqa: F401  # fixtures
from tilebox_celery.embedded import down, start, status
from tilebox_celery.embedded.places import check_place
from tilebox_celery.errors import EmbeddedStackError

WORDS = [("job", "list"), ("down",), ("doctor",)]


def run(home: Path | str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, without any URL."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TILEBOX_")}
    return subprocess.run(
        [sys.executable, "-m", "tilebox_celery.cli.main", *words],
        env={**kept, **({"TILEBOX_CELERY_HOME": str(home)} if home else {}), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def check_refused(home: Path | str, reason: str, *, down_works: bool = False, **environment: str) -> None:
    """Check what the three commands say: one sentence and 5, or a finding and 1."""
    listed, stopped, looked = (run(home, *words, **environment) for words in WORDS)

    assert (listed.returncode, listed.stdout, len(listed.stderr.splitlines())) == (5, "", 1), listed
    assert reason in listed.stderr
    assert "TILEBOX_CELERY_HOME" in listed.stderr
    assert (stopped.returncode, len(stopped.stderr.splitlines())) == (0 if down_works else 5, 1), stopped
    assert looked.returncode == 1, looked
    assert "wrong  embedded" in looked.stdout
    assert "Unexpected" not in listed.stderr + stopped.stderr + looked.stderr


def test_file_instead_of_a_directory(new_home):
    """A data directory that is a file is refused by all."""
    new_home.path.write_text("I am a file")

    check_refused(new_home.path, "not a directory")


def test_home_of_the_user_is_a_file(new_home):
    """HOME may be a file, such as /dev/null in some services."""
    new_home.path.write_text("I am a file")

    check_refused("", "Not a directory", HOME=str(new_home.path), XDG_DATA_HOME="")


def test_name_that_is_too_long(new_home):
    """No file system takes a name of more than 255 bytes."""
    check_refused(new_home.path / ("x" * 300), "File name too long")


@root_only
def test_read_only_directory_that_is_new(new_home, read_only):  # noqa: F811
    """Nothing can be made below a read-only file system, and doctor knows it without trying."""
    read_only(new_home.path.parent)

    check_refused(new_home.path, "Read-only file system", down_works=True)


@root_only
def test_read_only_directory_that_was_used(home):
    """A directory that was used before and is read-only now can be looked at, not started."""
    mounted = subprocess.run(["mount", "--bind", home.path, home.path], check=False).returncode == 0
    if not mounted:
        pytest.skip("this container may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", home.path], check=True)

        assert not status(home.path).running
        check_refused(home.path, "Read-only file system")
    finally:
        subprocess.run(["umount", "-l", home.path], check=True)


@root_only
def test_directory_that_only_another_may_use(new_home):
    """A data directory of root is refused to others, by all."""
    (new_home.path / "run").mkdir(parents=True)
    new_home.path.parent.chmod(0o700)
    script = f"""
import os, sys
from pathlib import Path
import tilebox_celery.embedded.postgres_server, tilebox_celery.embedded.valkey_server
from tilebox_celery.embedded import down, start, status
from tilebox_celery.errors import EmbeddedStackError
os.setgroups([])
os.seteuid(65534)
for each in (start, down, status):
    try:
        each(Path({str(new_home.path)!r}))
    except EmbeddedStackError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.stdout.count("cannot be used (Permission denied)") == 3, done


@root_only
def test_disk_that_is_too_small(new_home, mount_tmpfs):  # noqa: F811
    """Doctor says before the first start that the disk is too small."""
    mount_tmpfs(new_home.path.parent, "size=100m")

    with pytest.raises(EmbeddedStackError, match="has 100 MB left, and the ledger needs 200 MB"):
        check_place(new_home.path)
    assert "100 MB left" in " ".join(run(new_home.path, "doctor").stdout.split())
    assert not new_home.path.exists()


def test_place_in_a_file_system_of_the_kernel():
    """Nothing can be made in /sys, whatever its modes say."""
    with pytest.raises(EmbeddedStackError):
        check_place(Path("/sys/x"))


def test_good_places_are_not_touched(new_home):
    """A place that does not exist yet is fine, and stays as it is; so are one that is used, and a link to it."""
    check_place(new_home.path / "below")

    assert not new_home.path.exists()
    assert not status(new_home.path).running
    assert not down(new_home.path)
    start(new_home.path)
    down(new_home.path)
    check_place(new_home.path)
