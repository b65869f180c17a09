"""Read the promises of ``docs/clauses.toml`` and ``docs/clauses/*.toml``, and the tests that name them."""

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


class ClauseError(ValueError):
    """A clause file or a mark that cannot be read; the message is one sentence for the person who wrote it."""


@dataclass(frozen=True)
class Clause:
    """One promise of the public documents, in our own words."""

    number: str
    text: str
    later: str | None = None
    """Why no test shows it yet: the capability that will bring it."""


@dataclass(frozen=True)
class Mark:
    """One ``@pytest.mark.clause(number)`` in a test file."""

    number: str
    place: str


def read_clauses(root: Path) -> dict[str, Clause]:
    """Return all clauses of the checkout by number, in the order of the files.

    Raises:
        ClauseError: A file is not TOML, a clause has a wrong field, or two files share a number.
    """
    clauses: dict[str, Clause] = {}
    for path in (root / "docs" / "clauses.toml", *sorted((root / "docs" / "clauses").glob("*.toml"))):
        name = path.relative_to(root)
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise ClauseError(f"{name} cannot be read: {error}.") from error
        for number, table in tables.items():
            if number in clauses:
                raise ClauseError(f'{name}: clause ["{number}"] stands in another file too; give it a new number.')
            clauses[number] = _clause(number, table, str(name))
    return clauses


def find_marks(tests: Path) -> list[Mark]:
    """Return every clause mark below a folder, read from the syntax tree: no test is imported.

    Raises:
        ClauseError: A mark names its clause by something else than a string.
    """
    return [mark for path in sorted(tests.rglob("*.py")) for mark in _marks_in(path, tests.parent)]


def _clause(number: str, table: object, name: str) -> Clause:
    if not isinstance(table, dict) or not isinstance(table.get("text"), str) or not table["text"].strip():
        raise ClauseError(f'{name}: clause ["{number}"] needs a text = "one sentence".')
    if unknown := set(table) - {"text", "later"}:
        raise ClauseError(f'{name}: clause ["{number}"] has the unknown field {min(unknown)}.')
    later = table.get("later")
    if later is not None and not (isinstance(later, str) and later.strip()):
        raise ClauseError(f'{name}: clause ["{number}"] needs a reason in later = "...".')
    return Clause(number, table["text"], later)


def _marks_in(path: Path, root: Path) -> Iterator[Mark]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.clause")):
            continue
        place = f"{path.relative_to(root)}:{node.lineno}"
        if not node.args or node.keywords:
            raise ClauseError(f'{place}: a clause mark is written pytest.mark.clause("1.4-7").')
        for argument in node.args:
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                raise ClauseError(f'{place}: a clause mark is written pytest.mark.clause("1.4-7").')
            yield Mark(argument.value, place)
