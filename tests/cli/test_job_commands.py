"""Jobs on the command line: submit by name or class, short ids, list, explain, retry, cancel."""

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from tests.cli.program import Cli
from tests.cli.workflow import Boom, Fan, Greet, Leaf
from tilebox_celery.cli import output
from tilebox_celery.cli.job_tables import job_table
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Job
from tilebox_celery.model.states import JobState
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.workflows import Client, ExecutionContext, Task

STORED = "select r.name, r.major, r.minor, t.input from tbx.tasks t join tbx.routes r on r.id = t.route_id"


class Wordy(Task):
    """Fails with a message of several lines."""

    def execute(self, context: ExecutionContext) -> None:
        """Fail."""
        raise ValueError("first\nsecond")


class CancelsItself(Task):
    """Cancels its job, and ends."""

    def execute(self, context: ExecutionContext) -> None:
        """Cancel the only job."""
        jobs = Client().jobs()
        jobs.cancel(jobs.query()[0])


@pytest.mark.clause("cli-9")
@pytest.mark.parametrize(
    ("task", "given", "stored"),
    [
        ("Greet", ['"World"'], ("Greet", 0, 0, b'"World"')),
        (
            "acme.org/Greet@v1.12",
            ['{"name": "x", "times": 2}'],
            ("acme.org/Greet", 1, 12, b'{"name": "x", "times": 2}'),
        ),
        ("Nothing", [], ("Nothing", 0, 0, b"")),
        ("tests.cli.workflow:Leaf", ["3"], ("Leaf", 0, 0, b"3")),
        ("tests.cli.workflow:Greet", ['"World"'], ("Greet", 0, 0, b'{"name": "World", "times": 1}')),
    ],
)
def test_input_is_stored_in_the_wire_form(
    cli: Cli, cluster: Cluster, connection: Connection, task: str, given: list[str], stored: tuple[object, ...]
) -> None:
    """A named task is stored with its input as it is given, and a class with the input as the class writes it."""
    done = cli("job", "submit", "--task", task, *(word for text in given for word in ("--input", text)))

    assert done.code == 0
    assert connection.execute(STORED).fetchall() == [stored]


def test_submitted_by_name_a_class_takes_it(cli: Cli, client: Client, cluster: Cluster) -> None:
    """A runner executes what the command line submitted without the class, whether with one field or several."""
    ids = [
        cli("job", "submit", "-t", task, "-i", given).stdout.strip()
        for task, given in [("Leaf", "1"), ("Greet", '{"name": "x"}'), ("Greet", '"x"')]
    ]

    client.runner(tasks=[Leaf, Greet]).run_all()

    assert [cli("job", "get", job, "--json").document["state"] for job in ids] == ["COMPLETED"] * 3


def test_stdout_of_submit_is_the_id_alone(cli: Cli, client: Client, cluster: Cluster) -> None:
    """The id can be taken by a shell; what people should know is on stderr."""
    done = cli("job", "submit", "--task", "Greet", "--name", "for the shell", "--input", '"x"')

    job = client.jobs().find(done.stdout.strip())
    assert job.name == "for the shell"
    assert "no live runner of cluster" in done.stderr


def test_input_from_stdin_and_file(cli: Cli, cluster: Cluster, connection: Connection, tmp_path: Path) -> None:
    """A dash reads stdin, an @ reads a file."""
    (tmp_path / "input.json").write_text("[1, 2]")

    codes = [
        cli("job", "submit", "-t", "A", "-i", "-", stdin='{"a": 1}').code,
        cli("job", "submit", "-t", "B", "-i", "@input.json").code,
    ]

    assert codes == [0, 0]
    assert [row[3] for row in connection.execute(STORED + " order by r.name").fetchall()] == [b'{"a": 1}', b"[1, 2]"]


@pytest.mark.clause("cli-5")
def test_id_may_be_shortened_while_it_is_unique(cli: Cli, client: Client, cluster: Cluster) -> None:
    """The start of an id is enough, with or without dashes; what several jobs share is refused with their ids."""
    first, second = (client.jobs().submit(name, Leaf(1)) for name in ("first", "second"))
    whole = str(second.id)
    unique = next(whole[:size] for size in range(1, 37) if not str(first.id).startswith(whole[:size]))

    answers = [cli("job", "get", text, "--json").document["name"] for text in (whole, unique, unique.replace("-", ""))]
    shared = cli("job", "get", whole[:4])

    assert answers == ["second"] * 3
    assert (shared.code, shared.stdout) == (2, "")
    assert all(str(job.id) in shared.stderr for job in (first, second))


def test_ids_in_a_list_can_be_used(cli: Cli, client: Client, cluster: Cluster) -> None:
    """Each id that the list shows, however short, is one that other commands take."""
    for number in range(5):
        client.jobs().submit(f"job {number}", Leaf(number))

    shown = [line.split()[0] for line in cli("job", "list").stdout.splitlines()[1:]]

    names = [cli("job", "get", text, "--json").document["name"] for text in shown]
    assert names == ["job 4", "job 3", "job 2", "job 1", "job 0"]


def test_ids_that_start_alike_are_shown_longer(capsys: pytest.CaptureFixture[str]) -> None:
    """Ids in a list are as long as it takes to tell them apart, and at least a millisecond's worth."""
    ids = [UUID(f"018dd029-58ca-7000-8000-0000000000{end}") for end in ("05", "15")]
    jobs = [Job(each, "alike", "", JobState.SUBMITTED, datetime.now(UTC)) for each in ids]

    output.show(job_table(jobs))
    output.show(job_table(jobs[:1]))

    shown = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "alike" in line]
    assert shown == [str(ids[0])[:35], str(ids[1])[:35], "018dd029-58ca"]


def test_list_filters(cli: Cli, client: Client, cluster: Cluster) -> None:
    """States, words of the name, clusters, age and a page can be asked for."""
    other = client.clusters().create("other")
    here, there = client.jobs().submit("in here", Leaf(1)), client.jobs().submit("over there", Leaf(1), cluster=other)
    client.runner(tasks=[Leaf]).run_all()

    def names(*words: str) -> list[str]:
        return [job["name"] for job in cli("job", "list", *words, "--json").document]

    assert names() == ["over there", "in here"]
    assert names("--state", "completed") == ["in here"]
    assert names("--state", "completed", "--state", "submitted") == ["over there", "in here"]
    assert names("--name", "THERE over") == ["over there"]
    assert names("--cluster", other.slug) == ["over there"]
    assert names("--since", "1h") == ["over there", "in here"]
    assert names("-n", "1") == ["over there"]
    assert names("--after", str(there.id)) == ["in here"]
    assert here.id != there.id


def test_jobs_of_a_deleted_cluster_are_listed(cli: Cli, client: Client, cluster: Cluster) -> None:
    """A cluster that is gone has its history; only one that never was is refused."""
    other = client.clusters().create("other")
    client.jobs().submit("old", Leaf(1), cluster=other)
    client.runner(other, tasks=[Leaf]).run_all()
    client.clusters().delete(other)

    done = cli("job", "list", "--cluster", other.slug, "--json")

    assert [job["name"] for job in done.document] == ["old"]


def test_why_names_the_reason(cli: Cli, client: Client, cluster: Cluster) -> None:
    """For each queued task there is a reason."""
    job = client.jobs().submit("waits", Greet("x"))

    done = cli("job", "why", str(job.id), "--json")

    [why] = done.document
    assert (why["display"], why["reason"]) == ("Greet", f"no live runner of cluster '{cluster.slug}' has 'Greet' v0.0")


def test_retry_counts_and_dry_run_changes_nothing(cli: Cli, client: Client, cluster: Cluster) -> None:
    """Retry says how many tasks run again; with --dry-run it only says so."""
    job = client.jobs().submit("boom", Boom())
    client.runner(tasks=[Boom]).run_all()

    dry = cli("job", "retry", str(job.id), "--dry-run")
    state = client.jobs().find(job).state
    real = cli("job", "retry", str(job.id))

    assert (dry.stdout, state) == ("1 failed task would run again.\n", "FAILED")
    assert (real.stdout, client.jobs().find(job).state) == ("1 failed task runs again.\n", "STARTED")


def test_retry_of_what_has_not_failed(cli: Cli, client: Client, cluster: Cluster) -> None:
    """A canceled job goes on, a completed one stays as it is, and the sentence says which."""
    done = client.jobs().submit("done", Leaf(1))
    client.runner(tasks=[Leaf]).run_all()
    stopped = client.jobs().submit("stopped", Leaf(1))
    client.jobs().cancel(stopped)

    answers = [cli("job", "retry", str(job.id)) for job in (done, stopped)]

    assert [answer.stdout for answer in answers] == [
        "No task of the job has failed, and it is COMPLETED: nothing changed.\n",
        "No task of the job has failed; it goes on.\n",
    ]
    assert client.jobs().find(stopped).state == "SUBMITTED"


def test_retry_of_a_completed_job_that_was_canceled(cli: Cli, client: Client, cluster: Cluster) -> None:
    """Nothing goes on where all is done, though somebody canceled the job at its last task."""
    job = client.jobs().submit("late", CancelsItself())
    client.runner(tasks=[CancelsItself]).run_all()
    found = client.jobs().find(job)

    done = cli("job", "retry", str(job.id))

    assert (found.state, found.canceled) == ("COMPLETED", True)
    assert done.stdout == "No task of the job has failed, and it is COMPLETED: nothing changed.\n"


def test_cancel_says_how_it_goes_on(cli: Cli, client: Client, cluster: Cluster) -> None:
    """A canceled job can be retried, and the command says so."""
    job = client.jobs().submit("stop", Leaf(1))

    done = cli("job", "cancel", str(job.id)[:20])

    assert client.jobs().find(job).state == "CANCELED"
    assert done.stderr == f"Job {job.id} is CANCELED; 'tilebox-celery job retry {job.id}' lets it go on.\n"


def test_failed_tasks_come_with_whole_errors(cli: Cli, client: Client, cluster: Cluster) -> None:
    """`job tasks --failed` shows the traceback of what failed, and nothing else."""
    job = client.jobs().submit("boom", [Boom(), Leaf(1)])
    client.runner(tasks=[Boom, Leaf]).run_all()

    shown, as_json = (
        cli("job", "tasks", str(job.id), "--failed"),
        cli("job", "tasks", str(job.id), "--failed", "--json"),
    )

    assert "Traceback (most recent call last)" in shown.stdout
    assert "Leaf" not in shown.stdout
    assert [task["task"] for task in as_json.document] == ["Boom"]
    assert "boom" in json.dumps(as_json.document)


def test_cause_of_several_lines(cli: Cli, client: Client, cluster: Cluster) -> None:
    """Where one line is shown of an error, it is that with the exception."""
    job = client.jobs().submit("wordy", Wordy())
    client.runner(tasks=[Wordy]).run_all()

    tree, waited = cli("job", "tasks", str(job.id)), cli("job", "wait", str(job.id))

    assert "ValueError: first" in tree.stdout
    assert "ValueError: first" in waited.stderr
    assert "second" not in tree.stdout + waited.stderr


def test_many_siblings_are_folded(cli: Cli, client: Client, cluster: Cluster) -> None:
    """Of many tasks that look alike some are shown and the rest is counted, unless all are asked for."""
    job = client.jobs().submit("fan", Fan(40))
    client.runner(tasks=[Fan, Leaf]).run_all()

    folded, whole = (cli("job", "tasks", str(job.id), *more).stdout.splitlines() for more in ([], ["--all"]))

    assert any("... 30 more" in line for line in folded)
    assert (len(folded), len(whole)) == (14, 43)


@pytest.mark.clause("cli-19")
def test_aliases_of_other_programs(cli: Cli, cluster: Cluster) -> None:
    """Plurals, ls, rm and show are understood and not listed."""
    answers = [cli("jobs", "ls"), cli("clusters", "ls"), cli("runners", "ls"), cli("cluster", "show", cluster.slug)]
    removed = cli("clusters", "rm", cluster.slug, "--yes")

    assert [done.code for done in (*answers, removed)] == [0] * 5
    assert "clusters" not in cli("--help").stdout.split("Commands:")[1].split()
