"""Tell the driver when a task started, through a list in Valkey."""

import os
import time

import redis

_connections: dict[int, "redis.Redis"] = {}


def push_time(key: str) -> None:
    """Append the present time to a list."""
    now = time.time()
    if os.getpid() not in _connections:
        _connections[os.getpid()] = connect_valkey(os.environ["TILEBOX_CELERY_BROKER_URL"])
    _connections[os.getpid()].rpush(key, repr(now))


def connect_valkey(url: str) -> "redis.Redis":
    """Connect to the Valkey of a broker URL."""
    return redis.Redis.from_url(url.replace("redis+socket://", "unix://").partition("?")[0], socket_timeout=60)
