"""The examples in the docstrings of the caches."""

import doctest
import importlib
from pathlib import Path

import pytest


@pytest.mark.parametrize("module", ["base", "fenced", "filesystem", "keys", "memory", "none"])
def test_examples_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example in a docstring does what it says."""
    monkeypatch.chdir(tmp_path)

    result = doctest.testmod(importlib.import_module(f"tilebox_celery.caches.{module}"))

    assert result.attempted > 0
    assert result.failed == 0
