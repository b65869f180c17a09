"""Check the URLs of ledger and broker where they come in, and hide what is secret in one before anybody sees it."""

import re
from urllib.parse import unquote

from tilebox_celery.errors import ArgumentError

_LEDGER_SCHEMES = ("postgresql://", "postgres://")
_BROKER_SCHEMES = ("redis://", "rediss://", "redis+socket://", "amqp://", "amqps://", "pyamqp://")
_PORT = re.compile(r"[a-z]+://(?:[^@/?]*@)?(?:\[[^\]]*\]|[^:/?]*)(?::([^/?]*))?")
_SECRET_OPTIONS = ("password", "passfile", "sslpassword", "ssl_password")
_OPTION = re.compile(r"[?&]([^=&?]*)=([^&]*)")
_KEYWORD = re.compile(r"password\s*=\s*('(?:\\.|[^'\\])*'?|(?:\\.|\S)+)", re.IGNORECASE)
# What libpq, urllib and kombu read alike. An option may hold an @, but must begin like one: so may a password hold a ?.
_PLAIN = re.compile(
    r"[a-z+]+://"
    r"(?:(?:%[0-9A-Fa-f]{2}|[^%@:/?#\[\]\s])*(?::(?:%[0-9A-Fa-f]{2}|[^%@/?#\[\]\s])*)?@)?"
    r"[^@/?#\s]*"
    r"(?:/[^@?#\s]*)?"
    r"(?:\?(?:[A-Za-z_]+=[^&#\s]*(?:&|$))*)?"
)


def check_ledger_url(url: str) -> None:
    """Raise ArgumentError unless the URL names a Postgres database, and every reader finds the same password in it."""
    if not url.startswith(_LEDGER_SCHEMES):
        raise ArgumentError(f"The ledger URL {redact_url(url)} must start with postgresql://.")
    _check_encoding("ledger", url)


def check_broker_url(url: str) -> None:
    """Raise ArgumentError unless each of the URLs, with ; between them, names Redis, Valkey or RabbitMQ."""
    if not url.startswith(_BROKER_SCHEMES):
        raise ArgumentError(
            f"The broker URL {redact_url(url)} must start with redis://, rediss://, redis+socket://, amqp:// or amqps://."
        )
    for each in url.split(";"):
        _check_encoding("broker", each if "://" in each else url)
        if not each.startswith(_BROKER_SCHEMES):
            raise ArgumentError(
                f"The broker URL {redact_url(url)} names several, and not all are of Redis or RabbitMQ."
            )
        found = _PORT.match(each)
        port = found[1] if found is not None else None
        if port and not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 2**16):
            raise ArgumentError(f"The broker URL {redact_url(url)} has a port that is no number from 1 to 65535.")


def redact_url(url: str) -> str:
    """Replace the passwords in a URL, well-formed or not, by three stars; a text without one stays as it is.

    Example:
        >>> redact_url("postgresql://me:sec/ret@db:5432/tilebox?sslpassword=other")
        'postgresql://me:***@db:5432/tilebox?sslpassword=***'
    """
    shown, end = "", 0
    for start, stop in _secret_spans(url):
        if start >= end:
            shown += url[end:start] + "***"
        end = max(end, stop)
    return shown + url[end:]


def redact_text(text: str, url: str) -> str:
    """Take what is secret in a URL out of a text that somebody else wrote about it."""
    for start, stop in _secret_spans(url):
        raw = url[start:stop]
        for secret in {raw, unquote(raw)}:
            text = text.replace(secret, "***")
    return text


def _check_encoding(noun: str, url: str) -> None:
    if not _PLAIN.fullmatch(url):
        raise ArgumentError(
            f"The {noun} URL {redact_url(url)} is not percent-encoded: in the user name, the password and elsewhere "
            "write @ as %40, / as %2F, ? as %3F, # as %23, % as %25 and a space as %20."
        )


def _secret_spans(url: str) -> list[tuple[int, int]]:
    """Return where secrets stand in the raw text: a parser would end the password at the first / or # in it."""
    start = url.find("://") + 3 if "://" in url else 0
    end = url.rfind("@")
    spans = [(colon + 1, end)] if (colon := url.find(":", start, max(end, start))) >= 0 else []
    spans += [each.span(2) for each in _OPTION.finditer(url) if unquote(each[1]).lower() in _SECRET_OPTIONS]
    if "://" not in url:
        spans += [each.span(1) for each in _KEYWORD.finditer(url)]
    return sorted((start, stop) for start, stop in spans if stop > start)
