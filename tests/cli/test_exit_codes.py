"""The exit code says how a command, and the job that it waited for, ended."""

import signal
from pathlib import Path

import pytest

from tests.cli.program import Cli
from tests.cli.workflow import Boom, Leaf
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Job
from tilebox_celery.workflows import Client

ABSENT = "018dd029-58ca-7000-8000-000000000005"


@pytest.fixture
def completed(client: Client, cluster: Cluster) -> Job:
    """A job that is over."""
    job = client.jobs().submit("fine", Leaf(1))
    client.runner(tasks=[Leaf]).run_all()
    return job


@pytest.fixture
def failed(client: Client, cluster: Cluster) -> Job:
    """A job that has failed."""
    job = client.jobs().submit("broken", Boom())
    client.runner(tasks=[Boom]).run_all()
    return job


@pytest.fixture
def queued(client: Client, cluster: Cluster) -> Job:
    """A job that nobody runs."""
    return client.jobs().submit("queued", Leaf(1))


@pytest.mark.clause("cli-3")
@pytest.mark.parametrize("verb", ["wait", "watch"])
def test_completed_job_gives_0(cli: Cli, completed: Job, verb: str) -> None:
    """Who waits for a completed job gets 0."""
    done = cli("job", verb, str(completed.id))

    assert done.code == 0
    assert "fine COMPLETED: 1 computed" in done.stdout


@pytest.mark.parametrize("verb", ["wait", "watch"])
def test_failed_job_gives_1(cli: Cli, failed: Job, verb: str) -> None:
    """Who waits for a failed job gets 1, and the error on stderr."""
    done = cli("job", verb, str(failed.id))

    assert done.code == 1
    assert "broken FAILED: 1 failed" in done.stdout
    assert "ValueError: boom" in done.stderr
    assert f"job tasks {failed.id} --failed" in done.stderr


@pytest.mark.parametrize("verb", ["wait", "watch"])
def test_canceled_job_gives_3(cli: Cli, queued: Job, verb: str) -> None:
    """Who waits for a canceled job gets 3."""
    canceled = cli("job", "cancel", str(queued.id))

    done = cli("job", verb, str(queued.id))

    assert (canceled.code, done.code) == (0, 3)


@pytest.mark.parametrize("verb", ["get", "tasks", "wait", "watch", "why", "retry", "cancel"])
def test_absent_job_gives_4(cli: Cli, cluster: Cluster, verb: str) -> None:
    """Every command that takes a job says in one sentence that it does not exist."""
    done = cli("job", verb, ABSENT)

    assert (done.code, done.stdout) == (4, "")
    assert done.stderr == f"No such job {ABSENT}: it was never submitted to this ledger, or it was pruned.\n"


@pytest.mark.parametrize("verb", ["wait", "watch"])
def test_job_that_is_not_over_in_time_gives_124(cli: Cli, queued: Job, verb: str) -> None:
    """A timeout gives 124, the state, and the job goes on."""
    done = cli("job", verb, str(queued.id), "--timeout", "0.1")

    assert done.code == 124
    assert done.stderr == f"Job {queued.id} is SUBMITTED after 0.1 s: 1 queued task.\n"


@pytest.mark.clause("cli-6")
def test_ctrl_c_gives_130_and_leaves_the_job(cli: Cli, queued: Job, client: Client) -> None:
    """Ctrl-C ends the waiting, not the job, and says how the job can be canceled."""
    process = cli.start("job", "watch", str(queued.id))
    assert process.stdout is not None
    assert "SUBMITTED" in process.stdout.readline()

    process.send_signal(signal.SIGINT)
    done = cli.finish(process)

    assert done.code == 130
    assert done.stderr == f"The job goes on; 'tilebox-celery job cancel {queued.id}' cancels it.\n"
    assert client.jobs().find(queued).state == "SUBMITTED"


def test_unreachable_ledger_gives_5(cli: Cli) -> None:
    """A ledger that does not answer gives 5 and one sentence without the password."""
    done = cli.run("job", "list", TILEBOX_CELERY_LEDGER_URL="postgresql://me:secret@127.0.0.1:1/db")

    assert (done.code, done.stdout) == (5, "")
    assert "postgresql://me:***@127.0.0.1:1/db cannot be reached" in done.stderr
    assert "secret" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ledger_without_tables_gives_1(cli: Cli, ledger_url: str) -> None:
    """A ledger that was never upgraded gives 1 and the command that mends it."""
    empty = ledger_url.replace("/test_", "/template1?x=test_").partition("?x")[0] + "?" + ledger_url.partition("?")[2]

    done = cli.run("job", "list", TILEBOX_CELERY_LEDGER_URL=empty)

    assert done.code == 1
    assert done.stderr == "The ledger has no tables yet: run 'tilebox-celery db upgrade'.\n"


def test_wrong_usage_gives_2(cli: Cli) -> None:
    """A mistake in the words of a command gives 2, one sentence, and where help is."""
    done = cli("job", "lst")

    assert done.code == 2
    assert done.stderr == "No such command 'lst'. Did you mean 'list'? See 'tilebox-celery job --help'.\n"


def test_only_debug_shows_a_traceback(cli: Cli, cluster: Cluster, tmp_path: Path) -> None:
    """Errors come without a traceback, unless --debug asks for it."""
    plain, debug = (cli("job", "get", ABSENT, *more) for more in ([], ["--debug"]))

    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert (plain.code, debug.code) == (4, 4)
