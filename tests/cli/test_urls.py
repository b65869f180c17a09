"""URLs of servers as people type them: refused in one sentence without any part of a password, if unusable."""

import pytest

from tests.cli.program import Cli
from tests.project.test_settings_urls import BROKERS, PASSWORDS

PARTS = ("s3", "ret", "tpw", "ss@w", "w:rd", "rd@")


@pytest.mark.parametrize("words", [("job", "list"), ("doctor",), ("db", "check")])
def test_ledger_url_is_refused_without_its_password(cli: Cli, words: tuple[str, ...], monkeypatch) -> None:
    """Each command ends with 2 and one sentence that says how a password is written."""
    for password in PASSWORDS:
        monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", f"postgresql://u:{password}@127.0.0.1:1/x")

        done = cli(*words)

        assert (done.code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        assert "postgresql://u:***@127.0.0.1:1/x is not percent-encoded" in done.stderr
        assert not any(part in done.stderr for part in PARTS)


def test_real_process_with_a_plain_password(cli: Cli) -> None:
    """A process of its own says the same, also with --debug."""
    done = cli.run("job", "list", "--debug", TILEBOX_CELERY_LEDGER_URL="postgresql://u:s3c/ret@127.0.0.1:1/x")

    assert (done.code, done.stdout) == (2, "")
    assert "s3c" not in done.stderr


@pytest.mark.parametrize("query", ["bogus=1", "connect_timeout=soon", "application_name=50%"])
def test_option_that_libpq_does_not_know(cli: Cli, query: str) -> None:
    """A URL that libpq does not take is a wrong argument, told without what libpq says."""
    done = cli.run("job", "list", TILEBOX_CELERY_LEDGER_URL=f"postgresql://u:s3cret@127.0.0.1:1/x?{query}")

    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "The ledger URL postgresql://u:***@127.0.0.1:1/x" in done.stderr


@pytest.mark.parametrize("words", [("job", "list"), ("doctor",), ("dev",), ("flower",)])
def test_broker_url_is_refused_by_every_command(cli: Cli, words: tuple[str, ...], monkeypatch) -> None:
    """A broker URL that cannot be used is a wrong argument of each command, told without any part of a password."""
    for url, part in BROKERS.items():
        monkeypatch.setenv("TILEBOX_CELERY_BROKER_URL", url)

        done = cli(*words)

        assert (done.code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
        assert part in done.stderr
        assert not any(each in done.stderr for each in ("s3c", "tpw", "rd@"))
