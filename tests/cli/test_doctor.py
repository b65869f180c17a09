"""`doctor` finds what is wrong, says what to do, and changes nothing."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cli.program import Cli, Done
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.workflows import Client


def levels(done: Done) -> dict[str, str]:
    """Return the worst level of each check."""
    order = ["ok", "warning", "failure", "unreachable"]
    found: dict[str, str] = {}
    for each in done.document["checks"]:
        found[each["check"]] = max(found.get(each["check"], "ok"), each["level"], key=order.index)
    return found


@pytest.mark.clause("cli-14")
def test_healthy_servers(cli: Cli, cluster: Cluster) -> None:
    """With servers that answer all is well, but that no runner is there."""
    done = cli("doctor", "--json")

    assert done.code == 0
    assert levels(done) == {
        "versions": "ok", "ledger": "ok", "pooler": "ok", "settings": "ok", "connections": "ok", "clock": "ok",
        "schema": "ok", "runners": "warning", "broker": "ok",
    }  # fmt: skip


def test_nothing_is_started(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any URL the embedded stack is looked at, and not started."""
    monkeypatch.delenv("TILEBOX_CELERY_LEDGER_URL")
    monkeypatch.delenv("TILEBOX_CELERY_BROKER_URL")
    monkeypatch.setenv("TILEBOX_CELERY_HOME", str(tmp_path / "home"))

    done = cli("doctor")

    assert done.code == 0
    assert "it starts with the first command that needs it" in " ".join(done.stdout.split())
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("variable", "url", "check"),
    [
        ("TILEBOX_CELERY_LEDGER_URL", "postgresql://me:secret@127.0.0.1:1/db", "ledger"),
        ("TILEBOX_CELERY_BROKER_URL", "redis://me:secret@127.0.0.1:1/0", "broker"),
        ("TILEBOX_CELERY_BROKER_URL", "amqp://me:secret@127.0.0.1:1//", "broker"),
    ],
    ids=["Postgres", "Redis", "RabbitMQ"],
)
def test_server_that_does_not_answer(
    cli: Cli, variable: str, url: str, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is away gives 5, where it should be, and no password."""
    monkeypatch.setenv(variable, url)

    done = cli("doctor", "--json")

    assert (done.code, levels(done)[check]) == (5, "unreachable")
    assert "127.0.0.1:1" in done.stdout
    assert "secret" not in done.stdout + done.stderr


def test_dangerous_settings_are_named(cli: Cli, connection: Connection, ledger_url: str) -> None:
    """Settings that lose jobs or end listeners are named with what to set."""
    name = urlsplit(ledger_url).path[1:]
    connection.execute(f"alter database {name} set synchronous_commit = off")  # type: ignore[arg-type]  # our own name
    connection.execute(f"alter database {name} set statement_timeout = '30s'")  # type: ignore[arg-type]

    done = cli("doctor", "--json")

    found = [(each["text"], each["advice"]) for each in done.document["checks"] if each["check"] == "settings"]
    assert [text for text, _ in found] == ["synchronous_commit is off", "statement_timeout is 30s"]
    assert all(" set " in advice for _, advice in found)
    assert done.code == 0


def test_schema_of_another_version(cli: Cli, connection: Connection) -> None:
    """A ledger that does not fit gives 1 and the command that mends it."""
    connection.execute("update tbx.meta set value = 'other' where key = 'ledger.digest'")

    done = cli("doctor")

    assert done.code == 1
    assert "Run 'tilebox-celery db upgrade'." in done.stdout


def test_missing_broker_is_a_warning(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger without a broker works by NOTIFY; what does not is said."""
    monkeypatch.delenv("TILEBOX_CELERY_BROKER_URL")

    done = cli("doctor", "--json")

    assert (done.code, levels(done)["broker"]) == (0, "warning")
    assert "Jobs run: workers are woken by NOTIFY." in done.stdout


def test_pooler_is_noticed(cli: Cli, ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something between this machine and Postgres that hands out keys of its own, as poolers do, gives 1."""
    folder = parse_qs(urlsplit(ledger_url).query)["host"][0]
    with pooler_of(f"{folder}/.s.PGSQL.5432") as port:
        name = urlsplit(ledger_url).path
        monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", f"postgresql://postgres@127.0.0.1:{port}{name}")
        done = cli("doctor", "--json")

    assert (done.code, levels(done)["pooler"]) == (1, "failure")


@contextmanager
def pooler_of(server: str) -> Iterator[int]:
    """Pass connections on to Postgres, with another process id in the BackendKeyData message."""
    listener = socket.create_server(("127.0.0.1", 0))
    sockets: list[socket.socket] = [listener]

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(server)
                sockets.extend([client, upstream])
                for source, target, is_answer in ((client, upstream, False), (upstream, client, True)):
                    threading.Thread(target=pump, args=(source, target, is_answer), daemon=True).start()

    def pump(source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if is_answer and (at := data.find(b"K\x00\x00\x00")) >= 0:
                    data = data[: at + 5] + (1).to_bytes(4, "big") + data[at + 9 :]
                    is_answer = False
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        thread.join(10)


def test_settings_file_is_shown_without_passwords(cli: Cli, tmp_path: Path) -> None:
    """The file that sets something is named with its values, and passwords are hidden."""
    text = 'broker_url = "redis://me:secret@127.0.0.1:1/0"\nlease = 45\n'
    (tmp_path / "tilebox-celery.toml").write_text(text)

    done = cli("doctor", "--json")

    assert "tilebox-celery.toml sets broker_url = redis://me:***@127.0.0.1:1/0, lease = 45;" in done.stdout
    assert "secret" not in done.stdout + done.stderr


def test_misspelled_variable_is_noticed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that looks like a setting and is none is named with the setting that may be meant."""
    monkeypatch.setenv("TILEBOX_CELERY_LEDGER_ULR", "postgresql://me:secret@127.0.0.1/x")
    monkeypatch.setenv("TILEBOX_CELERY_LEASE", "30")

    done = cli("doctor", "--json")

    [found] = [each for each in done.document["checks"] if each["check"] == "variables"]
    assert (found["level"], found["advice"]) == ("warning", "Did you mean TILEBOX_CELERY_LEDGER_URL?")
    assert found["text"] == "TILEBOX_CELERY_LEDGER_ULR is no setting: nothing reads it"


def test_ledger_without_a_cluster(cli: Cli, ledger_url: str, client: Client) -> None:
    """A ledger in which no runner can start says what to create first; a deleted cluster is none."""
    before = cli("doctor", "--json")
    client.clusters().create("gone", slug="gone")
    client.clusters().delete("gone")
    after = cli("doctor", "--json")

    for done in (before, after):
        [found] = [each for each in done.document["checks"] if each["check"] == "runners"]
        assert (done.code, found["level"], found["text"]) == (0, "warning", "no cluster, and no live runner")
        assert found["advice"] == "Create the first cluster: 'tilebox-celery cluster create NAME'."
