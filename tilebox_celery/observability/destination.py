"""Where telemetry goes, how often and under which name, from arguments and the environment."""

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from urllib.parse import urlsplit, urlunsplit

from tilebox_celery.errors import ArgumentError
from tilebox_celery.settings import redact_url

AXIOM = "https://api.axiom.co"
DEFAULT_INTERVAL = timedelta(seconds=5)

_INTERVAL = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Destination:
    """One collector, for one signal."""

    url: str
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        """Return the URL without its secrets."""
        return redact_url(self.url)


def require_otel() -> None:
    """Raise ImportError unless the packages of the ``otel`` extra are installed."""
    try:
        for module in ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.common.trace_encoder", "requests"):
            import_module(module)
    except ImportError as error:
        raise ImportError(
            'OpenTelemetry is not installed: run pip install "tilebox-celery[otel]" to export logs and traces.'
        ) from error


def find_destination(signal: str, endpoint: str | None, headers: Mapping[str, str] | None) -> Destination:
    """Take the endpoint of ``logs`` or ``traces`` from the argument or the environment.

    Raises:
        ArgumentError: There is none, or it is no HTTP URL; the message names the variable.

    Example:
        >>> find_destination("logs", "http://localhost:4318", None)
        Destination(url='http://localhost:4318/v1/logs')
    """
    variable = f"OTEL_{signal.upper()}_ENDPOINT"
    url = endpoint or os.environ.get(variable)
    if not url:
        raise ArgumentError(
            f"No endpoint for OpenTelemetry {signal}: pass endpoint='http://host:4318', or set {variable}."
        )
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = redact_url(url) if "://" in url else redact_url(f"http://{url}").removeprefix("http://")
        raise ArgumentError(f"The OpenTelemetry endpoint {shown} must be an http:// or https:// URL.")
    path = parts.path.rstrip("/")
    suffix = f"/v1/{signal}"
    url = urlunsplit(parts._replace(path=path if path.endswith(suffix) else path + suffix))
    return Destination(url, tuple(sorted((headers or {}).items())))


def find_axiom(signal: str, dataset: str | None, api_key: str | None, endpoint: str = AXIOM) -> Destination:
    """Take the Axiom dataset and API key from the arguments or the environment.

    Raises:
        ArgumentError: One of them is missing; the message names the variable.
    """
    variable = f"AXIOM_{signal.upper()}_DATASET"
    dataset = dataset or os.environ.get(variable)
    if not dataset:
        raise ArgumentError(f"No Axiom dataset for {signal}: pass dataset=..., or set {variable}.")
    api_key = api_key or os.environ.get("AXIOM_API_KEY")
    if not api_key:
        raise ArgumentError(f"No Axiom API key for {signal}: pass api_key=..., or set AXIOM_API_KEY.")
    return find_destination(signal, endpoint, {"Authorization": f"Bearer {api_key}", "X-Axiom-Dataset": dataset})


def find_interval(interval: timedelta | str | None) -> float:
    """Take the export interval in seconds from the argument or ``OTEL_EXPORT_INTERVAL``.

    Raises:
        ArgumentError: The text is no duration; the message shows how to write one.

    Example:
        >>> find_interval("2h13m"), find_interval("500ms"), find_interval(timedelta(minutes=1))
        (7980.0, 0.5, 60.0)
    """
    if interval is None:
        interval = os.environ.get("OTEL_EXPORT_INTERVAL") or DEFAULT_INTERVAL
    if isinstance(interval, str):
        parts = _INTERVAL.findall(interval)
        if not parts or "".join(number + unit for number, unit in parts) != interval.replace(" ", ""):
            raise ArgumentError(
                f"The export interval {interval!r} is no duration: write it like '5s', '500ms' or '2h13m'."
            )
        interval = sum((timedelta(**{_UNITS[unit]: float(number)}) for number, unit in parts), timedelta())
    if interval <= timedelta():
        raise ArgumentError("The export interval must be longer than zero: write it like '5s', '500ms' or '2h13m'.")
    return interval.total_seconds()


def describe_service(service: str | None) -> dict[str, str]:
    """Return the attributes of all that this worker sends."""
    from importlib.metadata import version  # slow to import, and only needed once telemetry is configured

    return {
        "service.name": service or os.environ.get("OTEL_SERVICE_NAME") or f"tilebox_celery.workflows-{os.getpid()}",
        "service.version": version("tilebox-celery"),
        "host.name": platform.node(),
    }
