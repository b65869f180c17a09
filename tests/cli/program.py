"""The program in this process, and as processes of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from tilebox_celery.cli.main import app

PROGRAM = [sys.executable, "-m", "tilebox_celery.cli.main"]


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)


class Cli:
    """The program in this process, and as processes of its own, on the ledger of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []

    def __call__(self, *words: str, stdin: str | None = None) -> Done:
        """Run a command in this process."""
        result = CliRunner().invoke(app, list(words), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Done(result.exit_code, result.stdout, result.stderr)

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command as a process."""
        process = subprocess.Popen(
            [*PROGRAM, *words],
            cwd=self.folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def finish(self, process: subprocess.Popen[str]) -> Done:
        """Wait for a started command."""
        stdout, stderr = process.communicate(timeout=60)
        return Done(process.returncode, stdout, stderr)

    def run(self, *words: str, **environment: str) -> Done:
        """Run a command as a process."""
        return self.finish(self.start(*words, **environment))

    def stop(self) -> None:
        """End what a test has left behind."""
        for process in self.processes:
            process.kill()
            process.communicate()


def command_paths() -> list[tuple[str, ...]]:
    """Return the words of each command, read from the program itself."""
    tree = json.loads(CliRunner().invoke(app, ["agent-context"]).stdout)["commands"]
    return [
        (name, *rest)
        for name, described in tree.items()
        for rest in ([(each,) for each in described["commands"]] if "commands" in described else [()])
    ]


def wait_for(fact: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.02)
