"""Submit one job of many tasks and print what it took: ``python -m benchmarks.submit_many 100000``."""

import json
import os
import sys
import time

import psutil

from benchmarks.measure import peak_rss_bytes
from benchmarks.tasks import Leaf
from tilebox_celery.workflows import Client


def main() -> None:
    """Submit, and print seconds, growth of memory and the job."""
    client = Client()
    client.clusters().all()
    client.jobs().submit("warm up", [Leaf(0), Leaf(1)])  # what is loaded on first use is no growth
    before = psutil.Process().memory_info().rss
    tasks = [Leaf(i) for i in range(int(sys.argv[1]))]
    begun = time.time()
    job = client.jobs().submit("big job", tasks)
    seconds = time.time() - begun
    grown = peak_rss_bytes(os.getpid()) - before
    print(json.dumps({"job": str(job.id), "begun": begun, "seconds": seconds, "grown": grown}))


if __name__ == "__main__":
    main()
