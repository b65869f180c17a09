"""The code speaks the words of the glossary."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.checkout import ROOT

# The words that were decided for what happens to a task, and those they replaced.
DECIDED = ["wake-up", "claim", "advance", "settle", "unblock", "sweep", "prune", "give back"]
REPLACED = re.compile(r"deliver|rescue|resurrect|propagate", re.IGNORECASE)
ENGINE = ["model", "ledger", "dispatch", "runner", "client"]


def names_in(folder: Path) -> Iterator[str]:
    """Yield the names of files, classes and functions that are defined below a folder."""
    for path in folder.rglob("*"):
        if path.suffix in (".py", ".sql"):
            yield path.stem
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    yield node.name


@pytest.mark.parametrize("word", DECIDED)
def test_decided_word_has_an_entry(word: str) -> None:
    """Each decided word is a row of the glossary."""
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

    assert f"\n| {word} | " in glossary


@pytest.mark.parametrize("folder", ENGINE)
def test_engine_does_not_use_replaced_words(folder: str) -> None:
    """No file, class or function of the engine is named by a word that the glossary replaces."""
    strays = [name for name in names_in(ROOT / "tilebox_celery" / folder) if REPLACED.search(name)]

    assert strays == []
