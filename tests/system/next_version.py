"""Run a program as the next version of tilebox-celery: ``python next_version.py SCRIPT|-m MODULE OPTIONS``.

The folder in NEXT_VERSION holds a package with the SQL of that version.
"""

import os
import runpy
import shutil
import sys
from pathlib import Path

from tilebox_celery.ledger import open as opening
from tilebox_celery.postgres.migrate import MARK, Schema

PACKAGE = "next_ledger"
HERE = Path(__file__).parent


def make_next(folder: Path, *, older_workers_drain: bool) -> Schema:
    """Write the SQL of this code and one more migration into a folder, and return them as a schema.

    Args:
        folder: On ``sys.path``.
        older_workers_drain: The migration is one that older workers cannot live with.
    """
    ledger = Path(opening.__file__).parent
    for name in ("schema", "functions"):
        shutil.copytree(ledger / name, folder / PACKAGE / name)
    (folder / PACKAGE / "__init__.py").touch()
    mark = f"{MARK}\n" if older_workers_drain else ""
    (folder / PACKAGE / "schema" / "0002_next.sql").write_text(f"{mark}alter table tbx.jobs add column next int;\n")
    return Schema(PACKAGE, "ledger")


def main() -> None:
    sys.path[:0] = [os.environ["NEXT_VERSION"], str(HERE)]
    schema = Schema(PACKAGE, "ledger")
    opening.ledger_schema = lambda: schema  # type: ignore[assignment] # this process is the next version
    sys.argv = sys.argv[1:]
    if sys.argv[0] == "-m":
        sys.argv = sys.argv[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(str(HERE / sys.argv[0]), run_name="__main__")


if __name__ == "__main__":
    main()
