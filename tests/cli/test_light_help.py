"""Help and completion answer at once: they load neither Celery nor a database library."""

import json
import os
import subprocess
import sys

import pytest

from tests.cli.program import command_paths

HEAVY = {"celery", "kombu", "sqlalchemy", "psycopg", "redis", "flower", "rasterio", "numpy"}

ASK_ALL = """
import json, sys
from typer.testing import CliRunner
from tilebox_celery.cli.main import app

asked = {}
for path in json.loads(sys.argv[1]):
    result = CliRunner().invoke(app, [*path, "--help"])
    loaded = sorted(name for name in json.loads(sys.argv[2]) if name in sys.modules)
    asked[" ".join(path)] = [result.exit_code, "Usage:" in result.stdout, loaded]
print(json.dumps(asked))
"""
COMPLETE = """
import atexit, json, sys
atexit.register(lambda: sys.stderr.write(json.dumps([name for name in json.loads(sys.argv[1]) if name in sys.modules])))
from tilebox_celery.cli.main import main
heavy, sys.argv[1:] = sys.argv[1], sys.argv[1:2]
main()
"""


@pytest.mark.clause("cli-1")
def test_help_of_every_command_is_light() -> None:
    """Each command explains itself with exit code 0, without loading Celery, SQLAlchemy or psycopg."""
    paths = [(), *command_paths(), *{(path[0],) for path in command_paths()}]

    asked = subprocess.run(
        [sys.executable, "-c", ASK_ALL, json.dumps(paths), json.dumps(sorted(HEAVY))],
        check=True,
        capture_output=True,
        text=True,
    )

    answers = json.loads(asked.stdout)
    assert len(answers) > 25
    assert {path: answer for path, answer in answers.items() if answer != [0, True, []]} == {}


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("tilebox-celery jo", "job"), ("tilebox-celery job wa", "watch"), ("tilebox-celery job list --st", "--state")],
)
def test_completion_is_light(typed: str, offered: str) -> None:
    """The shell's completion offers what there is, without loading them either."""
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_TILEBOX_CELERY_COMPLETE": "complete_bash"}

    asked = subprocess.run(
        [sys.executable, "-c", COMPLETE, json.dumps(sorted(HEAVY))],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **words},
    )

    assert offered in asked.stdout.split()
    assert json.loads(asked.stderr) == []
