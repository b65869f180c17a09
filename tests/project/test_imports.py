"""Writing a Task stays light: the heavy libraries load when a job is submitted or run, not before."""

import json
import subprocess
import sys

HEAVY = ("celery", "kombu", "sqlalchemy", "psycopg", "redis", "xarray", "numpy", "typer", "rich")
WRITE_A_TASK = """
import json, sys
from tilebox_celery.workflows import ExecutionContext, Task

class Greet(Task):
    name: str

    def execute(self, context: ExecutionContext) -> None:
        print(self.name)

Greet("World")
print(json.dumps(sorted(sys.modules)))
"""


def test_writing_a_task_is_light() -> None:
    """Importing tilebox_celery.workflows and defining a Task loads no broker, database or array library."""
    # No plugin of the test run may load anything, so a new interpreter does the import.
    done = subprocess.run([sys.executable, "-c", WRITE_A_TASK], check=True, capture_output=True, text=True, timeout=60)

    loaded = {module.partition(".")[0] for module in json.loads(done.stdout)}
    assert loaded.isdisjoint(HEAVY)
