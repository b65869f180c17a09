"""No part of a password is shown, however a URL is written; a URL that readers would split differently is refused."""

import pytest

from tilebox_celery.errors import ArgumentError
from tilebox_celery.settings import Settings, check_ledger_url, redact_text, redact_url

PASSWORDS = ["s3c/ret", "s3c#ret", "s3c?ret", "s3cr@tpw", "p@ss@w:rd", "s3c%ret", "s3 ret", "s3c?a=b&ret", "[s3cret"]
"""Not percent-encoded: parsers end them at different places."""


@pytest.mark.parametrize("password", [*PASSWORDS, "s3cret", "s3c:ret", "s3c%2Fret"])
@pytest.mark.parametrize("start", ["postgresql://u", "redis://", "amqp://u", "garbage:/u", "u"])
def test_password_is_replaced_up_to_the_last_at(start: str, password: str) -> None:
    """The password ends at the last @, whatever it holds."""
    shown = redact_url(f"{start}:{password}@127.0.0.1:1/x")

    assert shown.endswith(":***@127.0.0.1:1/x")
    assert not any(part in shown for part in ("s3", "ret", "tpw", "ss@w", "rd@"))


@pytest.mark.parametrize(
    "text",
    [
        "host:99",
        "45",
        "postgresql://me@db:5432/tilebox",
        "postgresql://postgres@/tilebox?host=/run/user/1000",
        "redis+socket:///run/valkey.sock",
        "redis://127.0.0.1:6379/0",
        "amqp://host:99//",
        "/home/me/stack",
        "postgresql://[::1]:5432/x",
        "",
    ],
)
def test_text_without_a_password_stays(text: str) -> None:
    """What holds no password is shown as it was written."""
    assert redact_url(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql:///x?user=me&password=s3c@ret", "postgresql:///x?user=me&password=***"),
        ("postgresql:///x?host=a:b&password=s3c@ret&x=y", "postgresql:///x?host=a:***&x=y"),
        ("postgresql:///x?pass%77ord=s3cret", "postgresql:///x?pass%77ord=***"),
        ("postgresql://me:a@db/x?sslpassword=b", "postgresql://me:***@db/x?sslpassword=***"),
        (r"host=db password='s3c\' ret' user=me", "host=db password=*** user=me"),
        (r"host=db password = s3c\ ret user=me", "host=db password = *** user=me"),
    ],
)
def test_passwords_elsewhere(text: str, shown: str) -> None:
    """Options and connection strings hold passwords too."""
    assert redact_url(text) == shown


def test_text_of_a_driver() -> None:
    """A driver may quote the password as it was written, or decoded."""
    shown = redact_text("cannot log in with s3c/ret (s3c%2Fret)", "postgresql://me:s3c%2Fret@db/x")

    assert shown == "cannot log in with *** (***)"


@pytest.mark.parametrize("password", PASSWORDS)
def test_ledger_url_with_a_plain_password_is_refused(password: str) -> None:
    """The sentence says what to write, and holds no part of the password."""
    with pytest.raises(
        ArgumentError, match=r"URL postgresql://u:\*\*\*@127\.0\.0\.1:1/x is not percent-encoded"
    ) as caught:
        check_ledger_url(f"postgresql://u:{password}@127.0.0.1:1/x")

    assert "write @ as %40" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3c%2Fret@127.0.0.1:1/x",
        "postgresql://u:a:b!$&'()*+,;=~@127.0.0.1:1/x",
        "postgresql://u:pässword@db/x",
        "postgresql://db:5432/x?user=me@azure&sslmode=require",
        "postgresql://a:1,b:2/x?target_session_attrs=read-write",
        "postgresql://%2Frun%2Fpg/x",
        "postgresql://[::1]:5432/x",
        "postgres:///",
        "postgresql://",
    ],
)
def test_ledger_url_that_all_readers_split_alike(url: str) -> None:
    """What is percent-encoded is taken."""
    check_ledger_url(url)


BROKERS = {
    "garbage": "must start with redis://",
    "redis": "must start with redis://",
    "ftp://x:s3cret@h": "must start with redis://",
    "memory://": "must start with redis://",
    "redis://h:abc/0": "a port that is no number",
    "redis://h:0/0": "a port that is no number",
    "amqp://u:s3cret@h:99999//": "a port that is no number",
    "redis://[::1]:port/0": "a port that is no number",
    "redis://h:" + "9" * 9000: "a port that is no number",
    "redis://h;ftp://x": "names several",
    **{f"redis://:{each}@127.0.0.1:1/0": "is not percent-encoded" for each in PASSWORDS},
    **{f"amqp://u:{each}@127.0.0.1:1//": "is not percent-encoded" for each in PASSWORDS},
}
"""Broker URLs that cannot be used, and a part of what is said."""


@pytest.mark.parametrize("url", BROKERS)
def test_broker_url_that_cannot_be_used(url: str) -> None:
    """Whoever reads the settings learns of it, not only whoever sends the first message."""
    with pytest.raises(ArgumentError) as caught:
        Settings.from_environment({"TILEBOX_CELERY_BROKER_URL": url})

    assert BROKERS[url] in str(caught.value)
    assert not any(part in str(caught.value) for part in ("s3", "tpw", "rd@"))


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://127.0.0.1:6379/0",
        "rediss://:s3c%2Fret@[::1]:6380/1?ssl_cert_reqs=required",
        "redis+socket:///run/valkey.sock?virtual_host=5",
        "amqp://u:s3cret@a:5672//;amqp://u:s3cret@b:5672//",
        "pyamqp://guest@localhost//",
    ],
)
def test_broker_url_is_taken(url: str) -> None:
    """Redis, Valkey and RabbitMQ are taken in all forms that kombu knows."""
    assert Settings.from_environment({"TILEBOX_CELERY_BROKER_URL": url}).broker_url == url
