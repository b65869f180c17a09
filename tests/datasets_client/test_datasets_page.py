"""The pages of documents on datasets and geometries say what really happens."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("page", "least"), [("datasets", 10), ("geometries", 50)])
def test_the_page_runs(page: str, least: int, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of the page gives the output that it shows; the paths are those of the checkout."""
    monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", ledger_url)
    monkeypatch.chdir(ROOT)

    failed, tried = doctest.testfile(str(ROOT / "docs" / "howto" / f"{page}.md"), module_relative=False)

    assert (failed, tried > least) == (0, True)


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
