"""The clause check holds the promises against the tests without importing them."""

from pathlib import Path

import pytest

from tests.project.checkout import plant, run_script

SHOWN = 'import pytest\n\n@pytest.mark.clause("1.4-7")\ndef test_it():\n    raise SystemExit\n'


def check(root: Path, clauses: str, test: str = "", more: dict[str, str] | None = None) -> tuple[int, str]:
    """Plant a checkout of one clause file and one test file; return exit code and output of the check."""
    files = {"docs/clauses.toml": clauses, "tests/test_it.py": test, **(more or {})}
    checked = run_script("check_clauses.py", plant(root, files))
    return checked.returncode, checked.stdout


@pytest.mark.parametrize(
    "test",
    [
        SHOWN,
        'import pytest\npytestmark = [pytest.mark.system, pytest.mark.clause("1.4-7")]\n',
        'import pytest\nCASES = [pytest.param(1, marks=pytest.mark.clause("1.4-6", "1.4-7"))]\n',
        'from pytest import mark\n\n@mark.clause("1.4-7")\nclass TestIt:\n    pass\n',
    ],
    ids=["decorator", "module", "parameter", "class"],
)
def test_mark_shows_clause(tmp_path: Path, test: str) -> None:
    """A clause counts as shown by a mark on a function, class, module or parameter."""
    clauses = '["1.4-7"]\ntext = "It holds."\n["1.4-6"]\ntext = "So does this."\nlater = "next"\n'

    code, output = check(tmp_path, clauses, test)

    assert (code, "shown by tests: 0" in output) == (0, False), output


def test_clause_without_test_fails(tmp_path: Path) -> None:
    """A clause with neither test nor later fails the check, which quotes it."""
    code, output = check(tmp_path, '["1.4-7"]\ntext = "It holds."\n')

    assert code == 1
    assert 'Clause 1.4-7 has no test: "It holds."' in output


def test_later_clause_passes(tmp_path: Path) -> None:
    """A clause that says which capability will bring it passes."""
    code, output = check(tmp_path, '["1.9-1"]\ntext = "Cron."\nlater = "automations"\n')

    assert code == 0
    assert "later: 1." in output


def test_later_beside_a_test_is_mentioned(tmp_path: Path) -> None:
    """A clause whose test has arrived is named, so that its later goes away."""
    code, output = check(tmp_path, '["1.4-7"]\ntext = "It holds."\nlater = "next"\n', SHOWN)

    assert code == 0
    assert "Clause 1.4-7 has a test (tests/test_it.py:3): remove its later." in output


def test_unknown_clause_fails(tmp_path: Path) -> None:
    """A test that names a clause which does not exist fails the check, with its file and line."""
    code, output = check(tmp_path, "", SHOWN)

    assert code == 1
    assert "tests/test_it.py:3: there is no clause 1.4-7" in output


@pytest.mark.parametrize("mark", ["clause(NUMBER)", "clause()", "clause(7)"])
def test_computed_number_fails(tmp_path: Path, mark: str) -> None:
    """A mark that cannot be read without running the test fails the check."""
    code, output = check(tmp_path, "", f"import pytest\npytestmark = pytest.mark.{mark}\n")

    assert code == 1
    assert "tests/test_it.py:2: a clause mark is written" in output


@pytest.mark.parametrize(
    ("clauses", "sentence"),
    [
        ('["1.4-7"]\nlater = "next"\n', "needs a text"),
        ('["1.4-7"]\ntext = "It holds."\nlater = ""\n', "needs a reason"),
        ('["1.4-7"]\ntext = "It holds."\nlatr = "next"\n', "unknown field latr"),
        ('["1.4-7"]\ntext = "It holds."\npending = true\n', "unknown field pending"),
        ('["1.4-7"\n', "cannot be read"),
    ],
)
def test_malformed_clause_fails(tmp_path: Path, clauses: str, sentence: str) -> None:
    """A clause file with a mistake is answered by one sentence that names file and clause."""
    code, output = check(tmp_path, clauses)

    assert code == 1
    assert output.startswith("docs/clauses.toml")
    assert sentence in output


def test_number_in_two_files_fails(tmp_path: Path) -> None:
    """The same number in two files fails the check, which names the second file."""
    clause = '["1.4-7"]\ntext = "It holds."\n'

    code, output = check(tmp_path, clause, SHOWN, {"docs/clauses/model.toml": clause})

    assert code == 1
    assert 'docs/clauses/model.toml: clause ["1.4-7"] stands in another file too' in output
