"""Run the command line: in this process as its users' shells would see it, and as real processes."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Cli


@pytest.fixture
def cli(tilebox_broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cli]:
    """The program, with the ledger of this test and the Valkey of this run, in an empty folder."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    cli = Cli(tmp_path)
    yield cli
    cli.stop()
    for name, module in list(sys.modules.items()):  # the next test has others of the same name
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
