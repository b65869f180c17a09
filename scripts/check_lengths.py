"""Keep every room small: fail on a Python or SQL function file that is longer than its limit."""

import sys
from collections.abc import Iterator
from pathlib import Path

PYTHON_LIMIT = 400
SQL_FUNCTION_LIMIT = 130
FOLDERS = ("tilebox_celery", "tests", "benchmarks", "examples", "scripts")
SQL_FUNCTIONS = "tilebox_celery/**/functions/*.sql"


def too_long(root: Path) -> Iterator[str]:
    """Yield one sentence for each file above its limit."""
    python_files = (path for folder in FOLDERS for path in sorted((root / folder).rglob("*.py")))
    for limit, paths in ((PYTHON_LIMIT, python_files), (SQL_FUNCTION_LIMIT, sorted(root.glob(SQL_FUNCTIONS)))):
        for path in paths:
            length = len(path.read_text(encoding="utf-8").splitlines())
            if length > limit:
                yield f"{path.relative_to(root)} has {length} lines, {limit} are allowed: split it by noun."


def main(root: Path) -> int:
    """Print what is too long and return the exit code."""
    sentences = list(too_long(root))
    print("\n".join(sentences) or "File lengths: all within their limits.")
    return 1 if sentences else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent))
