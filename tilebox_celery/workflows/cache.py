"""Job caches: bytes under string keys, shared by the tasks of one job."""

from tilebox_celery.caches import InMemoryCache, JobCache, LocalFileSystemCache, NoCache
from tilebox_celery.errors import NoCacheError

__all__ = ["InMemoryCache", "JobCache", "LocalFileSystemCache", "NoCache", "NoCacheError"]
