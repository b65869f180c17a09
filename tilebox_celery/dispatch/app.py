"""Build Celery apps with the settings of ``broker_config/celeryconfig.py``."""

from typing import TYPE_CHECKING, Any

from tilebox_celery.errors import ArgumentError
from tilebox_celery.settings import redact_url
from tilebox_celery.settings_files import config_module

if TYPE_CHECKING:
    from celery import Celery

WAKE_TASK = "tilebox_celery.wake"
SCHEMES = ("redis", "rediss", "redis+socket", "amqp", "amqps", "pyamqp", "memory")


def make_app(name: str, broker_url: str | None, kind: "type[Celery] | None" = None) -> "Celery":
    """Return a Celery app that carries JSON only and stores no results.

    Args:
        name: Main name of the app.
        broker_url: Where wake-ups travel; None gives an app that can be asked but not be connected.
        kind: Its class; by default Celery's.

    Raises:
        ArgumentError: The URL has a scheme that is no broker's.
    """
    from celery import Celery  # takes half a second: only where a message is to be sent or heard

    if broker_url is not None and broker_url.partition("://")[0] not in SCHEMES:
        raise ArgumentError(
            f"The broker URL {redact_url(broker_url)} must start with redis://, rediss://, redis+socket://, amqp:// or amqps://."
        )
    app = (kind or Celery)(name, broker=broker_url, set_as_current=False)
    app.config_from_object(config_module("celeryconfig.py"))
    changes: dict[str, Any] = {"worker_consumer": "tilebox_celery.dispatch.consumer:LedgerConsumer"}
    if not is_redis(broker_url):
        changes["worker_disable_prefetch"] = False
        changes["broker_transport_options"] = {}
    app.conf.update(changes)
    return app


def is_redis(broker_url: str | None) -> bool:
    """Tell whether a broker URL names Redis or Valkey."""
    return broker_url is not None and broker_url.startswith(("redis", "rediss"))


def queue_name(runner_id: int) -> str:
    """Return the queue of one runner."""
    return f"tbx.{runner_id:x}"


def channel_name(runner_id: int) -> str:
    """Return the Postgres channel of one runner."""
    return f"tbx_{runner_id}"
