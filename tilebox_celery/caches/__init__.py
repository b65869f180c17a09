"""Job caches: bytes under string keys, shared by the tasks of one job."""

from tilebox_celery.caches.base import JobCache, check_pool
from tilebox_celery.caches.fenced import FencedCache
from tilebox_celery.caches.filesystem import LocalFileSystemCache
from tilebox_celery.caches.memory import InMemoryCache
from tilebox_celery.caches.none import NoCache

__all__ = ["FencedCache", "InMemoryCache", "JobCache", "LocalFileSystemCache", "NoCache", "check_pool"]
