"""One worker process of the demo; it drains when its standard input closes, so that none outlives its demo.

Started as ``python -m tilebox_celery.demo.worker CLUSTER CACHE_FOLDER``; prints ``ready`` once it takes tasks.
"""

import os
import signal
import sys
import threading
from typing import Any


def main(cluster: str, cache_folder: str) -> None:
    """Run the tasks of the demo until a signal comes, or the end of standard input."""
    threading.Thread(target=_drain_when_alone, name="parent watch", daemon=True).start()

    from celery.signals import worker_ready

    from tilebox_celery.demo.workflow import TASKS
    from tilebox_celery.workflows import Client
    from tilebox_celery.workflows.cache import LocalFileSystemCache

    worker_ready.connect(_announce, weak=False)
    runner = Client().runner(cluster, tasks=TASKS, cache=LocalFileSystemCache(cache_folder))
    runner.run_forever()


def _announce(**_: Any) -> None:
    print("ready", flush=True)


def _drain_when_alone() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(*sys.argv[1:])
