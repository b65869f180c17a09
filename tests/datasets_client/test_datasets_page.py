"""The pages of documents on datasets and geometries say what really happens."""

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize(("page", "least"), [("datasets", 10), ("datasets-in-workflows", 10)])
def test_the_pages_on_datasets_run(page: str, least: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of a page gives the output that it shows."""
    monkeypatch.chdir(tmp_path)

    failed, tried = doctest.testfile(str(ROOT / "docs" / "howto" / f"{page}.md"), module_relative=False)

    assert (failed, tried > least) == (0, True)


def test_the_page_on_geometries_runs(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of it gives the output that it shows; the paths are those of the checkout."""
    monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", ledger_url)
    monkeypatch.chdir(ROOT)

    failed, tried = doctest.testfile(str(ROOT / "docs" / "howto" / "geometries.md"), module_relative=False)

    assert (failed, tried > 50) == (0, True)


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
