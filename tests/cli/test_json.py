"""With --json every command prints JSON on stdout and nothing else."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.cli.program import Cli, command_paths
from tests.cli.workflow import Boom, Deeper, Fan, Greet, Leaf
from tilebox_celery.cli.main import app
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Job
from tilebox_celery.workflows import Client

# What each command is asked with; {job} is a completed job of three tasks, {broken} a failed one, {open} a queued one.
ASKED = {
    ("version",): [],
    ("doctor",): [],
    ("agent-context",): [],
    ("down",): [],
    ("job", "submit"): ["--task", "Greet", "--input", '"x"'],
    ("job", "list"): [],
    ("job", "get"): ["{job}"],
    ("job", "tasks"): ["{job}"],
    ("job", "wait"): ["{job}"],
    ("job", "watch"): ["{job}"],
    ("job", "why"): ["{open}"],
    ("job", "retry"): ["{broken}"],
    ("job", "cancel"): ["{open}"],
    ("runner", "list"): [],
    ("cluster", "list"): [],
    ("cluster", "get"): ["testing"],
    ("cluster", "create"): ["New"],
    ("cluster", "update"): ["testing", "--name", "Renamed"],
    ("cluster", "delete"): ["idle", "--yes"],
    ("db", "upgrade"): [],
    ("db", "check"): [],
    ("db", "prune"): ["--yes", "--before", "0s"],
}
# Shown in test_runner_commands.py, test_dev_commands.py and test_dataset_commands.py; the demo has its own tests;
# others print for Celery.
ELSEWHERE = {
    *(("dataset", verb) for verb in ("list", "get", "create", "ingest", "delete", "query", "export")),
    ("runner", "start"),
    ("dev",),
    ("demo",),
    ("worker",),
    ("beat",),
    ("flower",),
}


@pytest.fixture
def jobs(client: Client) -> dict[str, Job]:
    """A ledger with the clusters testing and idle, and a job of each kind."""
    for slug in ("testing", "idle"):
        client.clusters().create(slug, slug=slug)
    made = {
        "job": client.jobs().submit("fan", Fan(1)),
        "broken": client.jobs().submit("boom", Boom()),
    }
    client.runner(tasks=[Fan, Leaf, Boom]).run_all()
    return made | {"open": client.jobs().submit("open", Greet("x"))}


@pytest.mark.clause("cli-2")
def test_json_of_every_command_parses(
    cli: Cli, jobs: dict[str, Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stdout is one JSON document, also where the command has something to say to people."""
    monkeypatch.setenv("TILEBOX_CELERY_HOME", str(tmp_path / "unused"))
    ids = {name: job.id for name, job in jobs.items()}

    answers = {path: cli(*path, *(word.format(**ids) for word in words), "--json") for path, words in ASKED.items()}

    assert {path: (done.code, done.stderr) for path, done in answers.items() if done.code or done.stderr} == {}
    assert all(isinstance(done.document, dict | list) for done in answers.values())


def test_every_command_is_asked() -> None:
    """No command is forgotten by the test above."""
    assert set(command_paths()) == ASKED.keys() | ELSEWHERE


def test_every_command_takes_json() -> None:
    """The tree of commands itself says so; only what prints for Celery does not."""
    tree = json.loads(CliRunner().invoke(app, ["agent-context", "--json"]).stdout)["commands"]
    without = {
        path
        for path in command_paths()
        if "--json"
        not in {
            name
            for option in (tree[path[0]] if len(path) == 1 else tree[path[0]]["commands"][path[1]])["options"]
            for name in option["names"]
        }
    }

    assert without == {("worker",), ("beat",), ("flower",)}


def test_tree_of_tasks(cli: Cli, jobs: dict[str, Job]) -> None:
    """The tasks come parents first, with states, attempts, runners and times."""
    root, *children = cli("job", "tasks", str(jobs["job"].id), "--json").document

    assert (root["task"], root["version"], root["state"], len(root["attempts"])) == ("Fan", "v0.0", "COMPUTED", 1)
    assert [(child["display"], child["parent_id"]) for child in children] == [
        ("Leaf(0)", root["id"]),
        ("Leaf(-1)", root["id"]),
    ]
    assert children[1]["depends_on"] == [children[0]["id"]]
    assert root["started_at"] <= root["finished_at"]
    assert root["runner"]


def test_tree_as_deep_as_a_chain(cli: Cli, client: Client, cluster: Cluster) -> None:
    """A job of 500 generations is no problem, on screen or as JSON."""
    job = client.jobs().submit("deep", Deeper(500))
    client.runner(tasks=[Deeper]).run_all()

    as_json, shown = cli("job", "tasks", str(job.id), "--json"), cli("job", "tasks", str(job.id))

    assert (as_json.code, len(as_json.document)) == (0, 501)
    assert (shown.code, shown.stdout.count("COMPUTED")) == (0, 501)


def test_stream_has_one_object_a_line(cli: Cli, jobs: dict[str, Job]) -> None:
    """`job watch --json` prints one object for each change, the last one of the job that is over."""
    done = cli("job", "watch", str(jobs["job"].id), "--json")

    states = [json.loads(line)["state"] for line in done.stdout.splitlines()]
    assert states[-1] == "COMPLETED"


def test_waited_job_as_json_keeps_the_exit_code(cli: Cli, jobs: dict[str, Job]) -> None:
    """A failed job is a document on stdout, and 1 all the same."""
    done = cli("job", "wait", str(jobs["broken"].id), "--json")

    assert (done.code, done.document["state"], done.stderr) == (1, "FAILED", "")


def test_json_of_a_failure_is_a_sentence_on_stderr(cli: Cli, cluster: Cluster) -> None:
    """Errors do not mix with the document."""
    done = cli("cluster", "get", "nowhere", "--json")

    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (4, "", 1)
