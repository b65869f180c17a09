"""The demo as the first command on a machine: with servers of its own, in a directory that does not exist yet."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tilebox_celery.embedded import down


@pytest.fixture
def home() -> Iterator[Path]:
    """A data directory that does not exist yet, with a path short enough for sockets."""
    parent = Path(tempfile.mkdtemp(prefix="tbx-demo-"))
    yield parent / "home"
    down(parent / "home")
    shutil.rmtree(parent)


@pytest.mark.system
def test_first_command_makes_a_private_directory(home: Path) -> None:
    """The data directory has mode 0700, whoever makes it, and the command that it ends with finds the job."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("TILEBOX_")}

    done = subprocess.run(
        [sys.executable, "-m", "tilebox_celery.cli.main", "--home", str(home), "demo", "--pace", "0.01"],
        env=kept,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert home.stat().st_mode & 0o777 == 0o700
    (look,) = [line.removeprefix("job").strip() for line in done.stdout.splitlines() if line.startswith("job ")]
    again = subprocess.run(look, shell=True, env=kept, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    assert "demo: Landsat scene" in again.stdout
