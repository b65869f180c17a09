"""Where the checkout lies, and how its scripts are called as the Makefile calls them."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run_script(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one script of ``scripts/`` and return its exit code and output."""
    command = [sys.executable, str(ROOT / "scripts" / name), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write files below a folder that stands for a checkout, and return it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@contextmanager
def running_server(
    command: Sequence[str | Path], ready: str, cwd: Path, environment: dict[str, str] | None = None
) -> Iterator[None]:
    """Run a server from the log line that says it is ready to the end of the block, whatever happens there."""
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        try:
            seen = []
            for line in server.stdout:
                seen.append(line)
                if ready in line:
                    break
            else:
                pytest.fail(f"{command[0]} ended before it was ready:\n{''.join(seen)}")
            yield
        finally:
            server.terminate()
            server.stdout.read()
