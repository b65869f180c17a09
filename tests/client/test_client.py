"""The client itself: which ledger it takes, what it shows, when it connects, and how it says that it cannot."""

import logging
import multiprocessing
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tilebox_celery import errors
from tilebox_celery.client.client import Client
from tilebox_celery.client.jobs import JobClient
from tilebox_celery.errors import ArgumentError, AuthenticationError, LedgerUnavailable, LedgerVersionMismatch
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Job
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings
from tilebox_celery.workflows import ExecutionContext, Task

NOBODY = "postgresql://nobody:hidden@/nowhere?host=/nonexistent"


class Greet(Task):
    name: str

    def execute(self, context: ExecutionContext) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_vendor_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TILEBOX_API_URL", "TILEBOX_API_KEY", "TILEBOX_CELERY_LEDGER_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.clause("1.1-3")
def test_url_argument_is_the_ledger(ledger_url: str, cluster: Cluster, connection: Connection) -> None:
    """A postgresql:// URL is the ledger, whatever the settings say."""
    client = Client(url=ledger_url, settings=Settings(ledger_url=NOBODY))

    client.jobs().submit("job", Greet("a"))

    client.close()
    assert connection.execute("select count(*) from tbx.jobs").fetchone() == (1,)


@pytest.mark.clause("1.1-1")
def test_settings_name_the_ledger(
    ledger_url: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a URL the environment's ledger is used, and one log line says which."""
    monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", ledger_url)
    client = Client()

    with caplog.at_level(logging.INFO, "tilebox_celery"):
        found = client.clusters().all()

    client.close()
    assert found == [cluster]
    assert [record.getMessage() for record in caplog.records] == [f"using the ledger at {ledger_url}"]


@pytest.mark.clause("1.1-2")
@pytest.mark.parametrize("url", ["https://api.tilebox.com", "https://api.tilebox.com/"])
def test_vendor_url_means_none(url: str, ledger_url: str) -> None:
    """The vendor's default URL means the ledger of the settings."""
    client = Client(url=url, settings=Settings(ledger_url=ledger_url))

    assert client.clusters().all() == []
    client.close()


@pytest.mark.parametrize("url", [5, b"postgresql://", ["postgresql://"]])
def test_a_url_is_a_text(url: Any) -> None:
    """What is no text is refused by one sentence."""
    with pytest.raises(ArgumentError, match="url must be a text such as postgresql://user@host/database, not"):
        Client(url=url)


@pytest.mark.clause("2.client-1")
def test_vendor_variable_names_the_ledger(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """TILEBOX_API_URL is used where no url is given, and all documented keywords are taken."""
    monkeypatch.setenv("TILEBOX_API_URL", ledger_url)

    client = Client(token="t", name="me", client_id="id", transport="http1")

    assert client.settings.ledger_url == ledger_url


@pytest.mark.clause("1.1-4")
@pytest.mark.parametrize(
    "url", ["https://me:hidden@example.com", "http://localhost:8080", "localhost:80", "unix:/x", "x"]
)
def test_other_urls_are_refused(url: str) -> None:
    """Any other URL is refused in one sentence that says what to pass, and shows no password."""
    with pytest.raises(ArgumentError, match="pass the ledger as postgresql://user@host/database") as caught:
        Client(url=url)

    assert "hidden" not in str(caught.value)


def test_refused_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong URL from the environment is refused under the variable's name."""
    monkeypatch.setenv("TILEBOX_API_URL", "https://example.com")

    with pytest.raises(ArgumentError, match=r"TILEBOX_API_URL is 'https://example\.com'"):
        Client()


@pytest.mark.clause("1.1-6")
def test_url_is_keyword_only() -> None:
    """url and token cannot be mixed up by their order."""
    with pytest.raises(TypeError, match="positional"):
        Client("postgresql://x")  # type: ignore[misc]  # the mistake under test


@pytest.mark.clause("1.1-5")
def test_nothing_shows_token_or_password(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the token nor the ledger's password stands in a repr, a log line or an error."""
    monkeypatch.setenv("TILEBOX_API_KEY", "hidden-too")

    client = Client(url=NOBODY)
    with caplog.at_level(logging.DEBUG), pytest.raises(LedgerUnavailable) as caught:
        client.clusters().all()

    shown = [repr(client), str(caught.value), caplog.text, repr(client.settings), repr(client.jobs())]
    assert not any("hidden" in text for text in shown)
    assert "nobody:***@" in shown[0]
    assert client._token == "hidden-too"


@pytest.mark.clause("1.1-7")
def test_refused_login_raises_at_first_request(ledger_url: str) -> None:
    """A refused login does not stop the constructor, and the first request says who refused."""
    parts = urlsplit(ledger_url)
    client = Client(url=parts._replace(netloc="stranger:hidden@").geturl())

    with pytest.raises(
        AuthenticationError, match=r"Postgres at .*stranger:\*\*\*@.* refused the login.*TILEBOX_CELERY_LEDGER_URL"
    ):
        client.jobs().submit("job", Greet("a"))


def test_unreachable_ledger_is_explained() -> None:
    """An unreachable ledger says where it was looked for and what to do, and asks one question once."""
    client = Client(url="postgresql://me@127.0.0.1:1/ledger")

    with pytest.raises(
        LedgerUnavailable, match=r"ledger at postgresql://me@127.0.0.1:1/ledger cannot be reached.*Is Postgres running"
    ) as caught:
        client.jobs().find("018dd029-58ca-7000-8000-000000000005")
    assert "Connection refused. Is Postgres running" in str(caught.value)
    assert "Is the server running" not in str(caught.value)


def test_old_ledger_is_refused(ledger_url: str, connection: Connection) -> None:
    """A ledger with the functions of another version is refused with the command that mends it."""
    connection.execute("update tbx.meta set value = 'other' where key = 'ledger.digest'")
    client = Client(url=ledger_url)

    with pytest.raises(LedgerVersionMismatch, match="run 'tilebox-celery db upgrade'"):
        client.clusters().all()

    client.close()


def test_new_ledger_is_refused(ledger_url: str, connection: Connection) -> None:
    """A ledger of newer code is refused, and says so."""
    connection.execute("update tbx.meta set value = '999' where key = 'ledger.version'")
    client = Client(url=ledger_url)

    with pytest.raises(LedgerVersionMismatch, match="schema version 999, newer than this code"):
        client.clusters().all()

    client.close()


@pytest.mark.clause("1.1-10")
@pytest.mark.clause("d1.1-15")
def test_documented_errors_keep_their_bases() -> None:
    """The documented errors can be caught as what they were derived from."""
    bases = {
        errors.AuthenticationError: OSError,
        errors.ArgumentError: ValueError,
        errors.NotFoundError: KeyError,
        errors.SubscriptionLimitExceededError: OSError,
        errors.InternalServerError: KeyError,
    }

    assert all(issubclass(error, base) for error, base in bases.items())


def test_what_is_not_there_yet_says_so(client: Client) -> None:
    """Automations, recurrent tasks and diagrams refuse in one clear sentence."""
    for refuse in (
        client.automations,
        client.recurrent_tasks,
        lambda: client.jobs().visualize("x"),
        lambda: client.jobs().display("x"),
    ):
        with pytest.raises(errors.TileboxCeleryError, match="come with a later version"):
            refuse()


@pytest.mark.clause("2.client-5")
def test_old_configuration_calls_are_accepted(client: Client) -> None:
    """configure_logging, configure_logger and configure_tracing of older scripts are accepted and do nothing."""
    before = logging.getLogger("tilebox_celery").handlers[:]

    client.configure_logging(logging.getLogger("mine"))
    client.configure_logger(logging.getLogger("mine"))
    client.configure_tracing(object())

    assert logging.getLogger("tilebox_celery").handlers == before


IDLE_CLIENT = """
import os, sys, threading
from tilebox_celery.workflows import Client

def links():
    for name in os.listdir("/proc/self/fd"):
        try:
            yield os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            pass

client = Client()
client.jobs(), client.clusters()
heavy = {"psycopg", "sqlalchemy", "celery", "kombu", "redis"} & set(sys.modules)
print([link for link in links() if "socket" in link], threading.active_count(), sorted(heavy))
"""


def test_making_a_client_touches_nothing(tmp_path: Path) -> None:
    """A new client opens no socket, starts no thread and loads no database library until the first request."""
    env = {**os.environ, "TILEBOX_CELERY_HOME": str(tmp_path / "home")}

    done = subprocess.run(
        [sys.executable, "-c", IDLE_CLIENT], check=False, env=env, capture_output=True, text=True, timeout=60
    )

    assert (done.stdout.strip(), done.stderr) == ("[] 1 []", "")
    assert not (tmp_path / "home").exists()


def open_sockets() -> int:
    """Count the sockets of this process."""
    return sum(1 for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink() and "socket" in os.readlink(fd))


def test_forgotten_client_closes_its_connections(ledger_url: str, cluster: Cluster) -> None:
    """A client that nobody holds any more has closed its connections, without a warning."""
    before = open_sockets()
    client = Client(url=ledger_url)
    client.jobs().find(client.jobs().submit("job", Greet("a")))
    assert open_sockets() == before + 2

    del client

    assert open_sockets() == before


@pytest.mark.parametrize("door", ["tilebox_celery", "tilebox_celery.workflows"])
def test_public_names_are_there(door: str) -> None:
    """Every name in a public module's __all__ can be imported from it, and an unknown one is an AttributeError."""
    module = __import__(door, fromlist=["*"])

    assert all(getattr(module, name) is not None for name in module.__all__)
    assert {"Client", "Task", "ExecutionContext"} <= set(module.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        module.Nothing  # noqa: B018  # the access is the test


def test_both_doors_give_the_same_task() -> None:
    """`from tilebox_celery import Task` and `from tilebox_celery.workflows import Task` are one class."""
    import tilebox_celery

    assert tilebox_celery.Task is Task
    assert tilebox_celery.Client is Client


def _find_twice(client: Client, jobs: JobClient, job: Job) -> tuple[str, str]:
    names = client.jobs().find(job).name, jobs.find(job).name
    client.close()
    return names


def test_clients_can_be_sent_to_another_process(client: Client, cluster: Cluster) -> None:
    """A client and what it hands out are pickled without their connections, and open new ones where they arrive."""
    job = client.jobs().submit("sent", Greet("a"))

    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(_find_twice, (client, client.jobs(), job))

    assert found == ("sent", "sent")
    assert pickle.loads(pickle.dumps(client.clusters())).find(cluster.slug).slug == cluster.slug
    assert client.jobs().find(job).name == "sent"
