"""Bad input gets one sentence that names the thing and the next step, and nothing is written."""

from pathlib import Path

import pytest

from tests.cli.program import Cli
from tilebox_celery.cli.framework import report
from tilebox_celery.errors import LedgerUnavailable
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.postgres.connection import Connection

WRITTEN = (
    "select (select count(*) from tbx.jobs), (select count(*) from tbx.tasks), (select count(*) from tbx.runners),"
    " (select string_agg(slug || display_name || coalesce(description, '') || coalesce(deleted_at::text, ''), ' ')"
    " from tbx.clusters)"
)
SUBMIT = ["job", "submit", "--task", "Greet"]
START = ["runner", "start", "-m"]

BAD = [
    ([*SUBMIT, "--cluster", "nowhere"], 4, "No such cluster 'nowhere'"),
    ([*SUBMIT, "--input", "NaN"], 2, "--input is not JSON: NaN is no JSON number"),
    ([*SUBMIT, "--input", "{"], 2, "--input is not JSON"),
    ([*SUBMIT, "--input", "text"], 2, """A text needs quotes: --input '"text"'"""),
    ([*SUBMIT, "--input", '"' + "x" * 1_100_000 + '"'], 2, "more than 1,048,576"),
    ([*SUBMIT, "--input", "@absent.json"], 2, "absent.json cannot be read: No such file"),
    ([*SUBMIT, "--max-retries", "-1"], 2, "--max-retries must be a whole number from 0 to 2,147,483,647, not -1."),
    ([*SUBMIT, "--input", '{"a": 1e999}'], 2, "--input is not JSON: 1e999 is no JSON number"),
    ([*SUBMIT, "--input", '"x"', "--ledger-url", "postgresql://x"], 2, "--ledger-url goes before the command: "),
    ([*SUBMIT, "--name", ""], 2, "A job needs a name"),
    ([*SUBMIT, "--timeout", "soon", "--wait"], 2, "--timeout takes a time such as 30s"),
    ([*SUBMIT, "--timeout", "1"], 2, "--timeout needs --wait"),
    ([*SUBMIT, "--input", "-"], 2, "--input - found nothing on stdin"),
    ([*SUBMIT, "--input", "[" * 100_000], 2, "--input is nested too deeply"),
    ([*SUBMIT, "--max-retries", "99999999999"], 2, "--max-retries must be a whole number from 0 to"),
    (["job", "submit", "--task", "Greet@1.2"], 2, "Invalid version string: '1.2'"),
    (["job", "submit", "--task", " "], 2, "A task name is required"),
    (["job", "submit", "--task", "tasks:Nope"], 2, "has no attribute 'Nope'"),
    (["job", "submit", "--task", "absent:Nope"], 2, "There is no module 'absent'"),
    (["job", "submit", "--task", "tasks:text"], 2, "tasks:text is not a task class"),
    (["job", "submit", "--task", "tasks:Greet", "--input", '{"nme": "x"}'], 2, "nme"),
    (["job", "submit"], 2, "Missing option '--task'"),
    (["job", "get", "xyz"], 2, "Invalid id 'xyz'"),
    (["job", "get", ""], 2, "Invalid id ''"),
    (["job", "get", "0" * 40], 2, "Invalid id"),
    (["job", "get", "ffff"], 4, "No job has an id that starts with ffff"),
    (
        ["job", "list", "--state", "bad"],
        2,
        "--state is one of submitted, running, started, completed, failed, canceled, not 'bad'.",
    ),
    (["job", "list", "--limit", "-1"], 2, "limit must be a whole number"),
    (["job", "list", "--limit", "0"], 2, "--limit must be a whole number of 1 or more, not 0"),
    (["job", "list", "--cluster", "nowhere"], 4, "No such cluster 'nowhere'"),
    (["job", "list", "--after", "018dd029-58ca-7000-8000-000000000005"], 4, "No such job 018dd029"),
    (["job", "list", "--since", "x"], 2, "--since takes a time"),
    (["job", "list", "--since", "9999999d"], 2, "--since is '9999999d', which is too long: at most 365000d."),
    (["job", "list", "--bogus"], 2, "No such option"),
    (["cluster", "get", "nowhere"], 4, "No such cluster 'nowhere'"),
    (["cluster", "create", "x", "--slug", "a b"], 2, "A cluster slug has 1 to 128"),
    (["cluster", "create", "x", "--slug", "a b", "--exist-ok"], 2, "A cluster slug has 1 to 128"),
    (["cluster", "create", "x", "--exist-ok"], 2, "--exist-ok needs --slug"),
    (["cluster", "create", ""], 2, "A cluster needs a printable name"),
    (["cluster", "update", "nowhere", "--name", "x"], 4, "No such cluster 'nowhere'"),
    (["cluster", "update", "nowhere"], 2, "Nothing to change"),
    (["cluster", "delete", "nowhere", "--yes"], 4, "No such cluster 'nowhere'"),
    (["runner", "list", "--cluster", "nowhere"], 4, "No such cluster 'nowhere'"),
    (["runner", "start"], 2, "Missing option '--module'"),
    ([*START, "absent"], 2, "There is no module 'absent'"),
    ([*START, "tasks.py"], 2, "-m takes the name of a module, not of a file: '-m tasks'"),
    ([*START, "tasks:Nope"], 2, "has no attribute 'Nope'"),
    ([*START, "tasks:"], 2, "'module' or 'module:attribute'"),
    ([*START, "broken"], 1, "Module 'broken' cannot be imported: ZeroDivisionError"),
    ([*START, "needy"], 1, "Module 'needy' cannot be imported: No module named 'not_there'"),
    ([*START, "leaver"], 1, "Module 'leaver' cannot be imported: SystemExit"),
    ([*START, "empty"], 2, "-m empty has no task classes that can be executed"),
    ([*START, "twins"], 1, "Two tasks are registered as 'Twin'"),
    ([*START, "tasks", "--cluster", "nowhere"], 4, "No such cluster 'nowhere'"),
    ([*START, "tasks", "-n", "0"], 2, "Invalid value for '--number'"),
    ([*START, "tasks", "--pool", "gevent"], 2, "Invalid value for '--pool': 'gevent' is not one of"),
    ([*START, "empty:NoExecute"], 2, "empty:NoExecute has no method execute(self, context)"),
    (["db", "prune", "--before", "old"], 2, "--before takes a time"),
    (["worker", "--", "-c", "2"], 2, "Missing option '--module'"),
    (["worker", "-m", "tasks", "--", "--bogus"], 2, "No such option"),
    (
        ["worker", "-m", "tasks", "--", "-P", "gevent"],
        2,
        "Pool 'gevent' cannot run tasks: take prefork, threads or solo.",
    ),
    (["worker", "-m", "tasks", "--", "--pool=eventlet"], 2, "Pool 'eventlet' cannot run tasks"),
    (["flower", "--", "--bogus=1"], 2, "Flower has no option --bogus"),
    (["flower", "--", "--port=many"], 2, "Flower cannot be started like this"),
    (["flower", "--", "--address=0.0.0.0"], 2, "Flower would listen on 0.0.0.0 without a login"),
    (["flower", "--", "--address="], 2, "Flower would listen on all addresses without a login"),
    (["nonsense"], 2, "No such command 'nonsense'"),
]
MODULES = {
    "tasks": "from tilebox_celery.workflows import Task\ntext = 'x'\n"
    "class Greet(Task):\n    name: str\n    def execute(self, context): pass\n",
    "broken": "1 / 0\n",
    "needy": "import not_there\n",
    "leaver": "import sys\nsys.exit('done')\n",
    "empty": "from tilebox_celery.workflows import Task\nclass NoExecute(Task):\n    pass\n",
    "twins": "from tilebox_celery.workflows import Task\n"
    "class One(Task):\n    @staticmethod\n    def identifier(): return 'Twin', 'v1.0'\n"
    "    def execute(self, context): pass\n"
    "class Two(One):\n    pass\n",
}


@pytest.mark.clause("cli-4")
@pytest.mark.parametrize("noun", sorted({words[0] for words, _, _ in BAD}))
def test_bad_input_gets_one_sentence(
    cli: Cli, cluster: Cluster, connection: Connection, tmp_path: Path, noun: str
) -> None:
    """One sentence on stderr, nothing on stdout, the right exit code, and the ledger as it was."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    before = connection.execute(WRITTEN).fetchone()
    mine = [each for each in BAD if each[0][0] == noun]

    answers = [(cli(*words), words, code, part) for words, code, part in mine]

    wrong = [
        (words[:6], done.code, done.stderr)
        for done, words, code, part in answers
        if (done.code, done.stdout, len(done.stderr.splitlines())) != (code, "", 1) or part not in done.stderr
    ]
    assert wrong == []
    assert connection.execute(WRITTEN).fetchone() == before


LONG = "x" * 5000
REPEATED = [
    [*SUBMIT, "--cluster", LONG],
    ["job", "submit", "--task", "Greet@" + LONG],
    [*SUBMIT, "--input", "@" + LONG],
    ["cluster", "get", LONG],
    ["runner", "list", "--cluster", LONG],
    [*START, LONG],
    ["job", LONG],
    [LONG],
    ["job", "list", "--" + LONG],
]


@pytest.mark.parametrize("words", REPEATED, ids=lambda words: " ".join(each[:9] for each in words))
def test_long_names_are_cut(cli: Cli, cluster: Cluster, words: list[str]) -> None:
    """A sentence repeats at most 80 characters of what was given."""
    done = cli(*words)

    assert done.code in (2, 4)
    assert len(done.stderr) < 450
    assert "x" * 70 in done.stderr
    assert "x" * 81 not in done.stderr


@pytest.mark.clause("cli-7")
def test_answer_is_missing_where_nobody_can_be_asked(cli: Cli, cluster: Cluster, connection: Connection) -> None:
    """What destroys something needs --yes where there is no terminal."""
    before = connection.execute(WRITTEN).fetchone()

    done = cli("cluster", "delete", cluster.slug)

    assert (done.code, done.stdout) == (2, "")
    assert done.stderr == f"Delete cluster {cluster.slug} (testing): say --yes, since there is no terminal to ask.\n"
    assert connection.execute(WRITTEN).fetchone() == before


def test_words_between_two_quotes_are_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """Only what stands in quotes is cut, not a long explanation between two quoted names."""
    sentence = f"failed to resolve host 'db.invalid': {'why ' * 40}('tilebox-celery doctor' looks.)"

    report(LedgerUnavailable(sentence))

    assert capsys.readouterr().err == sentence + "\n"
