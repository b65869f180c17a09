"""Runners on the command line, as real processes: they run jobs, drain on signals, and end when they idle."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.program import Cli, wait_for
from tests.cli.workflow import Leaf, Linger
from tilebox_celery.cli.loading import load_runner
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.workflows import Client

WORKFLOW = Path(__file__).with_name("workflow.py")
RUNNER = """
from tasks import Leaf, Linger
from tilebox_celery.workflows import Client

runner = Client().runner(tasks=[Leaf, Linger])
app = runner.celery_app
"""
CELERY_TASKS = """
from celery import Celery

app = Celery("shop")

@app.task(name="shop.add")
def add(x, y):
    return x + y
"""


@pytest.fixture
def modules(tmp_path: Path) -> None:
    """The modules ``tasks``, ``my_runner`` and ``shop`` in the working directory of the commands."""
    (tmp_path / "tasks.py").write_text(WORKFLOW.read_text())
    (tmp_path / "my_runner.py").write_text(RUNNER)
    (tmp_path / "shop.py").write_text(CELERY_TASKS)


def started(cli: Cli, *words: str) -> subprocess.Popen[str]:
    """Start a runner and wait until it says so."""
    process = cli.start(*words, "--json")
    assert process.stdout is not None
    first = process.stdout.readline()
    if words[0] == "dev":
        assert json.loads(first)["event"] == "servers"
        first = process.stdout.readline()
    assert first, cli.finish(process).stderr
    assert json.loads(first)["event"] == "started"
    return process


@pytest.mark.clause("cli-10")
@pytest.mark.system
@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGTERM, ["runner", "start", "-m", "tasks", "-n", "2"]),
        (signal.SIGINT, ["runner", "start", "-m", "tasks", "--pool", "solo"]),
        (signal.SIGINT, ["dev", "-m", "my_runner:runner", "-n", "1"]),
    ],
    ids=["SIGTERM", "SIGINT", "dev"],
)
def test_signal_drains_a_runner(
    cli: Cli, client: Client, cluster: Cluster, modules: None, tmp_path: Path, number: signal.Signals, words: list[str]
) -> None:
    """A signal lets the running task end, and the process ends with 0; what is queued stays."""
    job = client.jobs().submit("linger", Linger(str(tmp_path)))
    process = started(cli, *words)
    wait_for((tmp_path / "running").exists)

    process.send_signal(number)
    wait_for(lambda: [each["state"] for each in cli("runner", "list", "--json").document] in (["draining"], []))
    queued = client.jobs().submit("too late", Leaf(1))
    (tmp_path / "go").touch()
    done = cli.finish(process)

    assert (done.code, json.loads(done.stdout)) == (0, {"event": "stopped"})
    assert (client.jobs().find(job).state, client.jobs().find(queued).state) == ("COMPLETED", "SUBMITTED")


@pytest.mark.clause("cli-11")
@pytest.mark.system
def test_runner_ends_when_it_idles(cli: Cli, client: Client, cluster: Cluster, modules: None) -> None:
    """With --stop-when-idling the queued work is done, subtasks and all, and the runner leaves with 0."""
    submitted = cli("job", "submit", "--task", "Fan", "--input", "20")

    done = cli.run("runner", "start", "-m", "tasks", "-n", "2", "--cluster", cluster.slug, "--stop-when-idling")

    job = client.jobs().find(submitted.stdout.strip())
    assert (done.code, job.state, job.execution_stats.total_tasks) == (0, "COMPLETED", 22)
    assert f"Runner of cluster {cluster.slug}, 2 slots (prefork), for" in done.stderr
    assert cli("runner", "list", "--json").document == []


@pytest.mark.system
def test_class_that_cannot_be_executed_is_named(cli: Cli, cluster: Cluster, tmp_path: Path) -> None:
    """A class whose `execute` was forgotten is named when the runner starts, and a base of others is not."""
    (tmp_path / "forgetful.py").write_text(
        "from tilebox_celery.workflows import Task\n"
        "class Base(Task):\n    pass\n"
        "class Good(Base):\n    def execute(self, context): pass\n"
        "class Typo(Task):\n    def excute(self, context): pass\n"
    )

    done = cli.run("runner", "start", "-m", "forgetful", "--cluster", cluster.slug, "--stop-when-idling")

    assert done.code == 0
    assert done.stderr.splitlines()[0] == "Typo is left out: it has no method execute(self, context)."
    assert "Base" not in done.stderr
    assert f"Runner of cluster {cluster.slug}, 1 slot (prefork), for Good v0.0." in done.stderr


@pytest.mark.clause("cli-12")
@pytest.mark.system
def test_celery_worker_command_is_a_runner(cli: Cli, client: Client, cluster: Cluster, modules: None) -> None:
    """`worker` passes Celery's options on, and what it starts executes a job that another command waits for."""
    worker = cli.start("worker", "-m", "my_runner:runner", "--", "-c", "1", "-P", "threads", "-n", "mine@here")

    waited = cli.run("job", "submit", "-t", "Leaf", "-i", "7", "--wait", "--timeout", "60", "--json")
    [runner] = cli("runner", "list", "--json").document
    worker.send_signal(signal.SIGTERM)
    done = cli.finish(worker)

    assert (waited.code, waited.document["state"]) == (0, "COMPLETED")
    assert (runner["name"], len(runner["slots"])) == ("mine@here", 1)
    assert done.code == 0


def test_module_gives_its_celery_tasks(cli: Cli, client: Client, cluster: Cluster, modules: None) -> None:
    """Plain Celery tasks of a module or of an app are taken, too, under their names."""
    runners = [load_runner(client, [text], None) for text in ("shop", "shop:app", "shop:add")]
    module, app, task = ([str(identifier) for identifier in runner.registry.identifiers] for runner in runners)

    assert module == task == ["shop.add v0.0"]
    assert "shop.add v0.0" in app  # with the `@shared_task`s of every module that was imported here, as Celery has it
    assert not [name for name in app if name.startswith("celery.")]


def test_app_of_a_runner_is_that_runner(cli: Cli, client: Client, cluster: Cluster, modules: None) -> None:
    """`-m my_runner:app` means the same as `-m my_runner:runner`."""
    runner = load_runner(client, ["my_runner:runner"], None)

    assert load_runner(client, ["my_runner:app"], None) is runner


def test_runner_of_another_cluster_is_refused(cli: Cli, cluster: Cluster, modules: None) -> None:
    """A runner object has its cluster and its cache: options that contradict it are named."""
    other, cache = (cli("runner", "start", "-m", "my_runner:runner", *more) for more in (["-c", "x"], ["--cache", "y"]))

    assert (other.code, cache.code) == (2, 2)
    assert f"is a runner of cluster '{cluster.slug}', not 'x'" in other.stderr
    assert "has its own tasks and cache" in cache.stderr
