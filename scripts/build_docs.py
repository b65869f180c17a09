"""Build the documents that are made from others: ``docs/llms-full.txt``, and ``docs/states.md`` from its table."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The order in which a newcomer reads; pages and folders that are not named here follow by name.
ORDER = ("index.md", "tutorial", "howto", "reference", "explanation", "decisions", "states.md", "glossary.md")
INTRODUCTION = (
    "# tilebox_celery: the whole documentation in one file\n\nBuilt by `make docs`; edit the pages, not this.\n"
)
STATES_PAGE = """\
# Task states

Drawn by `make docs` from the table in `tilebox_celery/model/states.py`. The labels are the events; the SQL functions
of the ledger use the same words; every other move is refused.

```mermaid
{diagram}
```
"""


def pages(docs: Path) -> list[Path]:
    """Return every Markdown page, the index of each folder first."""

    def position(path: Path) -> tuple[int, str, bool, str]:
        relative = path.relative_to(docs)
        top = relative.parts[0]
        rank = ORDER.index(top) if top in ORDER else len(ORDER)
        return rank, relative.parent.as_posix(), relative.name != "index.md", relative.name

    return sorted(docs.rglob("*.md"), key=position)


def full_text(docs: Path) -> str:
    """Return all pages as one text, each under a line that names its file."""
    return INTRODUCTION + "".join(
        f"\n---\n\nSource: docs/{path.relative_to(docs).as_posix()}\n\n{path.read_text(encoding='utf-8').strip()}\n"
        for path in pages(docs)
    )


def outdated(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield each generated file that differs from what it should hold, with that text."""
    docs = root / "docs"
    builders: dict[str, Callable[[], str]] = {"llms-full.txt": lambda: full_text(docs)}
    if (root / "tilebox_celery" / "model" / "states.py").exists():
        builders = {"states.md": lambda: _states(root), **builders}  # first, for the whole text quotes it
    for name, build in builders.items():
        path, text = docs / name, build()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            yield path, text


def main(root: Path, check: bool) -> int:
    """Write the generated files, or only say which are out of date; return the exit code."""
    stale = 0
    for path, text in outdated(root):
        stale += 1
        if check:
            print(f"{path.relative_to(root)} is out of date: run 'make docs' and commit it.")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path.relative_to(root)}")
    if not stale:
        print("Generated documents: up to date.")
    return 1 if check and stale else 0


def _states(root: Path) -> str:
    """Return the page around the diagram that the table of states prints of itself."""
    command = [sys.executable, "-m", "tilebox_celery.model.states"]
    done = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)  # noqa: S603  # our own module
    return STATES_PAGE.format(diagram=done.stdout.strip())


if __name__ == "__main__":
    sys.exit(main(ROOT, check="--check" in sys.argv[1:]))
