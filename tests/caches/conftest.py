"""Every cache backend, under one fixture."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tilebox_celery.caches import FencedCache, InMemoryCache, JobCache, LocalFileSystemCache

MakeCache = Callable[[Path], JobCache]

BACKENDS: dict[str, MakeCache] = {
    "memory": lambda _: InMemoryCache(),
    "filesystem": lambda folder: LocalFileSystemCache(folder / "cache"),
    "fenced": lambda folder: FencedCache(LocalFileSystemCache(folder / "cache"), is_current=lambda: True),
    "group": lambda folder: LocalFileSystemCache(folder / "cache").group("some/job"),
}


@pytest.fixture(params=BACKENDS)
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> JobCache:
    """Return an empty cache of each backend in turn."""
    return BACKENDS[request.param](tmp_path)
