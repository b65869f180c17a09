"""What a worker has in place of a broker: kombu's memory transport in an event loop, where NOTIFY alone wakes."""

from typing import Any

from celery.signals import celeryd_init
from kombu.transport import TRANSPORT_ALIASES, memory

from tilebox_celery.errors import BrokerUnavailable

NO_BROKER_URL = "notify://ledger"


class NoBrokerChannel(memory.Channel):
    """Carries what a worker tells itself, and refuses what somebody else should hear."""

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        raise BrokerUnavailable(
            f"No broker is configured, so nothing can be sent to queue '{queue}': set TILEBOX_CELERY_BROKER_URL."
        )


class NoBrokerTransport(memory.Transport):
    """A transport that brings nothing and keeps Celery's event loop, which the listener and the pool need."""

    Channel = NoBrokerChannel
    implements = memory.Transport.implements.extend(asynchronous=True)


TRANSPORT_ALIASES["notify"] = f"{__name__}:NoBrokerTransport"


@celeryd_init.connect  # type: ignore[untyped-decorator] # Celery has no types
def work_without_broker(instance: Any, **_: Any) -> None:
    """Put the transport into the app of a runner that starts as a worker; elsewhere the app goes on having none."""
    app = instance.app
    if hasattr(app, "tilebox_runner") and not app.conf.broker_url:
        app.conf.broker_url = NO_BROKER_URL


def is_without_broker(app: Any) -> bool:
    """Tell whether a worker's app hears nothing but NOTIFY."""
    return bool(app.conf.broker_url == NO_BROKER_URL)
