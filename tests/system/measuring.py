"""A worker for the tasks of examples/12 that dies where DIE_BEFORE says: ``python measuring.py --pool prefork``."""

import argparse
import importlib.util
import os
from pathlib import Path
from types import ModuleType

from dying import EXAMPLE, Death

from tilebox_celery.workflows import ExecutionContext, Task


def load_example() -> ModuleType:
    """Load the example as if it were new, with the archive and the cache in the current folder."""
    spec = importlib.util.spec_from_file_location("measuring_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mortal(cls: type[Task], death: Death) -> type[Task]:
    """Return the same task, which may die."""

    def execute(self: Task, context: ExecutionContext) -> None:
        with death.waiting():
            cls.execute(self, context)

    return type(cls.__name__, (cls,), {"execute": execute, "__module__": __name__})


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pool", default="prefork")
    options = parser.parse_args()
    death = Death(list(filter(None, os.environ["DIE_BEFORE"].split(";"))), Path(os.environ["DEATHS"]))
    os.chdir(os.environ["MEASURED"])
    example = load_example()
    # Used before the fork: the slots have their modules at once, and must leave the connections of their parent alone.
    example.datasets.dataset(example.SCENES).collection("L2SP").load("2024-04-17")
    tasks = [mortal(cls, death) for cls in (example.MeasureNewScenes, example.MeasureScene)]
    runner = example.client.runner(tasks=tasks)
    runner.run_forever(pool=options.pool, concurrency=1 if options.pool == "solo" else 2)


if __name__ == "__main__":
    main()
