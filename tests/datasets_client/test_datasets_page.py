"""The page of documents on datasets says what really happens."""

import doctest
import importlib
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "datasets.md"


def test_the_page_on_datasets_runs(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of docs/howto/datasets.md gives the output that it shows."""
    monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", ledger_url)

    failed, tried = doctest.testfile(str(PAGE), module_relative=False)

    assert (failed, tried > 10) == (0, True)


@pytest.mark.parametrize(
    "module",
    [
        "cli.dataset_code",
        "cli.dataset_fields",
        "cli.dataset_query",
        "datasets.collection_info",
        "datasets.field_forms",
        "datasets.frames",
        "datasets.groups",
        "datasets.progress",
        "datasets.recognition",
        "datasets.schema",
    ],
)
def test_examples_in_docstrings_run(module: str) -> None:
    """Each example in a docstring gives what it shows."""
    result = doctest.testmod(importlib.import_module(f"tilebox_celery.{module}"))

    assert (result.failed, result.attempted > 0) == (0, True)
