"""Hold the promises against the tests: each clause has a test or says which capability will bring it."""

import sys
from collections import defaultdict
from pathlib import Path

from clauses import Clause, ClauseError, Mark, find_marks, read_clauses


def main(root: Path) -> int:
    """Print what is missing and return the exit code."""
    try:
        clauses, marks = read_clauses(root), find_marks(root / "tests")
    except ClauseError as error:
        print(error)
        return 1
    problems, notices, summary = compare(clauses, marks)
    print("\n".join([*problems, *notices, summary]))
    return 1 if problems else 0


def compare(clauses: dict[str, Clause], marks: list[Mark]) -> tuple[list[str], list[str], str]:
    """Return what fails the check, what is only worth a word, and one line of numbers."""
    shown = defaultdict(list)
    for mark in marks:
        shown[mark.number].append(mark.place)
    problems = [
        f"{places[0]}: there is no clause {number} in docs/clauses.toml or docs/clauses/."
        for number, places in shown.items()
        if number not in clauses
    ]
    open_clauses = [clause for clause in clauses.values() if clause.number not in shown]
    problems += [
        f'Clause {clause.number} has no test: "{clause.text}" Mark one with @pytest.mark.clause("{clause.number}").'
        for clause in open_clauses
        if not clause.later
    ]
    stale = [clause for clause in clauses.values() if clause.number in shown and clause.later]
    notices = [f"Clause {clause.number} has a test ({shown[clause.number][0]}): remove its later." for clause in stale]
    later = sum(1 for clause in open_clauses if clause.later)
    summary = f"Clauses: {len(clauses)}, shown by tests: {len(clauses) - len(open_clauses)}, later: {later}."
    return problems, notices, summary


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent))
