"""Look at the broker: does it answer, does it keep what it is told, can strangers reach it."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from tilebox_celery.cli.checks import Finding, failure, fine, unreachable, warning
from tilebox_celery.settings import redact_text, redact_url

TIMEOUT = 5.0


def look_at_broker(url: str) -> Iterator[Finding]:
    """Yield what there is to say about a broker.

    Args:
        url: Of Redis, Valkey or RabbitMQ.
    """
    from kombu import connection as kombu

    connect: Any = kombu.Connection  # not typed

    is_redis = url.startswith("redis")
    options = {"socket_connect_timeout": TIMEOUT, "socket_timeout": TIMEOUT} if is_redis else {}
    began = time.monotonic()
    try:
        with connect(url, connect_timeout=TIMEOUT, transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=TIMEOUT)
            if is_redis:
                yield from _look_at_redis(connection.default_channel.client, url)
            else:
                yield fine("broker", f"RabbitMQ at {redact_url(url)}, connected in {time.monotonic() - began:.1f} s")
    except Exception as error:  # transports raise what their libraries raise
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        yield unreachable(
            "broker",
            f"The broker at {redact_url(url)} cannot be reached: {redact_text(reason, url)}",
            "Jobs go on if their runners hear NOTIFY. Is it running, and is TILEBOX_CELERY_BROKER_URL right?",
        )


def _look_at_redis(client: Any, url: str) -> Iterator[Finding]:
    info = client.info("server")
    began = time.monotonic()
    client.ping()
    took = time.monotonic() - began
    name = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version", "")
    yield fine("broker", f"{name} {version} at {redact_url(url)}, answers in {took * 1000:.1f} ms")
    policy = _setting(client, "maxmemory-policy")
    if policy not in ("", "noeviction"):
        yield warning(
            "broker", f"maxmemory-policy is {policy}", "It may drop wake-ups: set maxmemory-policy noeviction."
        )
    addresses = _setting(client, "bind").replace("-", "").split()
    outside = [each for each in addresses if each not in ("127.0.0.1", "::1", "localhost")]
    port = _setting(client, "port")
    is_open = port not in ("", "0") and (outside or not addresses) and _setting(client, "protected-mode") == "no"
    if is_open and not _setting(client, "requirepass", "unknown"):
        yield failure(
            "open binds",
            f"{name} listens on {', '.join(outside) or 'all addresses'} without a password",
            "Set requirepass, or bind 127.0.0.1: who can write there can send wake-ups, and read who runs what.",
        )


def _setting(client: Any, name: str, default: str = "") -> str:
    with contextlib.suppress(Exception):  # CONFIG may be forbidden
        return str(client.config_get(name).get(name, default))
    return default
