"""The Makefile has the promised targets and says what is missing on this machine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.checkout import ROOT, plant

TARGETS = ["demo", "test", "check", "bench", "test-long", "system", "test-rabbitmq", "test-browser", "docs", "clean"]


def make(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Call make in a folder as a shell without an activated environment would."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    command = [shutil.which("make") or "make", *arguments]
    return subprocess.run(command, cwd=root, env=environment, check=False, capture_output=True, text=True, timeout=60)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile and its scripts in a folder of their own."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    return plant(tmp_path, {"pyproject.toml": "", "uv.lock": ""})


@pytest.mark.parametrize("target", TARGETS)
def test_target_is_listed_and_known(checkout: Path, target: str) -> None:
    """Each promised target is in the list that plain `make` prints, and make can plan it."""
    listed, planned = make(checkout), make(checkout, "--dry-run", target)

    assert f"make {target} " in listed.stdout
    assert planned.returncode == 0, planned.stderr


def test_environment_is_not_set_up_twice(checkout: Path) -> None:
    """A stamped environment is used as it is until the lock file changes."""
    plant(checkout, {".venv/.set-up-dev": ""})
    untouched = make(checkout, "--dry-run", "docs").stdout
    os.utime(checkout / "uv.lock", (4_000_000_000, 4_000_000_000))

    changed = make(checkout, "--dry-run", "docs").stdout

    assert "set_up.py" not in untouched
    assert "scripts/set_up.py dev" in changed


def test_old_python_is_refused_in_one_sentence(checkout: Path) -> None:
    """A Python below 3.11 is named, with the way to choose another."""
    pretend = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    command = [sys.executable, "-c", pretend, str(checkout / "scripts" / "set_up.py"), "dev"]

    refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "Python 3.11 or newer is needed" in refused.stderr
    assert "is 3.9.2" in refused.stderr
    assert not (checkout / ".venv").exists()


def test_missing_venv_is_refused_in_one_sentence(checkout: Path) -> None:
    """A Python without its venv module is answered with what to install."""
    plant(checkout, {"scripts/ensurepip.py": "raise ImportError\n"})

    refused = make(checkout, "docs", f"PYTHON={sys.executable}")

    assert refused.returncode == 2
    assert "has no venv module: install it (Debian and Ubuntu: apt install python3-venv)." in refused.stderr


@pytest.mark.parametrize(
    ("target", "setting", "server"),
    [("test-rabbitmq", "RABBITMQ_BIN=/nowhere", "RabbitMQ"), ("test-browser", "CHROMIUM=no-such-browser", "Chromium")],
)
def test_missing_server_is_named(checkout: Path, target: str, setting: str, server: str) -> None:
    """A target whose server is not installed says so and names `make system`."""
    plant(checkout, {".venv/.set-up-dev": ""})

    refused = make(checkout, target, setting)

    assert refused.returncode == 2
    assert f"{server} is not installed: run 'make system' as root." in refused.stdout
