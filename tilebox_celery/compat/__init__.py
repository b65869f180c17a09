"""Run scripts that were written for ``tilebox``, unchanged: ``python -m tilebox_celery.compat script.py``."""

from tilebox_celery.compat.aliases import install

__all__ = ["install"]
