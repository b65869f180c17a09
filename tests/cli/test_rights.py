"""A database role without rights is told which it lacks, in which ledger, and what its owner has to run."""

from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from tests.cli.program import Cli
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.postgres.connection import Connection


@pytest.fixture
def role(connection: Connection, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A role that may log in and nothing else, in the ledger URL of the environment."""
    name = f"Guest {uuid4().hex}"
    connection.execute(f'create role "{name}" login')  # type: ignore[arg-type]  # our own name
    parts = urlsplit(ledger_url)
    monkeypatch.setenv(
        "TILEBOX_CELERY_LEDGER_URL", parts._replace(netloc=f"{name.replace(' ', '%20')}:s3cret@").geturl()
    )
    yield name
    connection.execute(f'drop owned by "{name}"')  # type: ignore[arg-type]
    connection.execute(f'drop role "{name}"')  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "words",
    [("job", "list"), ("job", "submit", "-t", "X"), ("db", "check"), ("db", "upgrade"), ("db", "prune", "--yes")],
)
def test_role_without_rights_gives_5(cli: Cli, cluster: Cluster, role: str, words: tuple[str, ...]) -> None:
    """Role, ledger and grant are in one sentence."""
    done = cli(*words)

    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (5, "", 1)
    assert f'Role "{role}" may not do this in the ledger at postgresql://' in done.stderr
    assert f'GRANT USAGE ON SCHEMA tbx TO "{role}"' in done.stderr
    assert "s3cret" not in done.stderr


def test_doctor_finds_missing_rights(cli: Cli, cluster: Cluster, role: str) -> None:
    """Doctor says so as a finding beside the others."""
    done = cli("doctor", "--json")

    (found,) = [each for each in done.document["checks"] if each["level"] == "unreachable"]
    assert done.code == 5
    assert (found["check"], f'Role "{role}"' in found["text"]) == ("ledger", True)
    assert "s3cret" not in done.stdout


def test_the_grants_are_enough(cli: Cli, cluster: Cluster, role: str, connection: Connection) -> None:
    """Who runs what the sentence says can work with the ledger."""
    sentence = cli("job", "list").stderr
    grants = [each.strip() for each in sentence.partition("can run ")[2].split(";") if each.strip().startswith("GRANT")]

    for grant in grants:
        connection.execute(grant)  # type: ignore[arg-type]  # our own text

    assert len(grants) == 4
    assert [cli(*words).code for words in (("job", "submit", "-t", "X"), ("job", "list"), ("db", "check"))] == [0, 0, 0]
    assert cli("doctor").code == 0
    assert cli("db", "prune", "--yes").code == 0
