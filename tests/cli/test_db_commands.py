"""The ledger on the command line: upgrade, check, prune."""

from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.cli.program import Cli
from tests.cli.workflow import Boom, Leaf
from tilebox_celery.embedded import Stack
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.workflows import Client


def test_upgrade_prepares_an_empty_database(
    cli: Cli, stack: Stack, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new database fits after one upgrade, and a second one changes nothing."""
    name = urlsplit(ledger_url).path[1:] + "_new"
    with psycopg.connect(stack.ledger_url, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", urlsplit(ledger_url)._replace(path=f"/{name}").geturl())
    try:
        before, first, second, after = (cli("db", verb) for verb in ("check", "upgrade", "upgrade", "check"))
    finally:
        with psycopg.connect(stack.ledger_url, autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)')

    assert (before.code, before.stderr) == (1, "The ledger has no tables yet: run 'tilebox-celery db upgrade'.\n")
    assert (first.code, first.stdout.splitlines()[0]) == (0, "applied 0001_initial")
    assert (second.code, second.stdout) == (0, "")
    assert (after.code, after.stdout.startswith("The ledger fits: schema ")) == (0, True)


def test_check_of_a_newer_ledger_fails(cli: Cli, connection: Connection) -> None:
    """A ledger of newer code gives 1, the sentence, and with --json both versions."""
    connection.execute("update tbx.meta set value = '99' where key = 'ledger.version'")

    shown, as_json = cli("db", "check"), cli("db", "check", "--json")

    assert (shown.code, as_json.code, as_json.document["version"]) == (1, 1, 99)
    assert shown.stderr.startswith("The ledger has schema version 99, newer than this code")


def test_upgrade_takes_a_time_and_names_a_ledger_of_no_release(cli: Cli, connection: Connection) -> None:
    """A --wait that is no time gives 2; a ledger of an unreleased version gives 1, in upgrade and in check."""
    wrong = cli("db", "upgrade", "--wait", "soon")
    connection.execute("update tbx.meta set value = 'x' where key = 'ledger.history'")

    refused, checked = cli("db", "upgrade"), cli("db", "check", "--json")

    assert (wrong.code, wrong.stderr) == (2, "--wait takes a time such as 30s, 5m, 12h or 7d, not 'soon'.\n")
    assert (refused.code, checked.code, checked.document["fits"]) == (1, 1, False)
    assert refused.stderr.startswith("The ledger was made by an unreleased version of tilebox-celery")


@pytest.mark.clause("cli-15")
def test_prune_deletes_what_was_completed(cli: Cli, client: Client, cluster: Cluster, tmp_path: Path) -> None:
    """Completed jobs and their caches go; failed and queued ones stay, and without --yes nothing happens."""
    old, broken = client.jobs().submit("old", Leaf(1)), client.jobs().submit("broken", Boom())
    client.runner(tasks=[Leaf, Boom]).run_all()
    queued = client.jobs().submit("queued", Leaf(2))
    for job in (old, broken):
        (tmp_path / "cache" / str(job.id)).mkdir(parents=True)

    young = cli("db", "prune", "--json")
    unasked = cli("db", "prune", "--before", "0s", "--caches")
    left = [job.name for job in client.jobs().query()]
    done = cli("db", "prune", "--before", "0s", "--caches", "--yes", "--json")

    assert (young.code, young.document["jobs"]) == (0, 0)
    assert (unasked.code, left) == (2, ["queued", "broken", "old"])
    assert "Delete 1 job completed before" in unasked.stderr
    assert (done.document["jobs"], done.document["caches"]) == (1, 1)
    assert [job.id for job in client.jobs().query()] == [queued.id, broken.id]
    assert [each.name for each in (tmp_path / "cache").iterdir()] == [str(broken.id)]
