"""The command ``python -m tilebox_celery.compat``."""

import sys

from tilebox_celery.compat.aliases import install
from tilebox_celery.compat.run import run

if __name__ == "__main__":
    install()
    run(sys.argv[1:])
