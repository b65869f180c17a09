"""What appears on a terminal: plain in a pipe, within 80 columns, and never steered by what users wrote."""

import os
import pty
import re
import subprocess
from datetime import timedelta

import pytest

from tests.cli.program import PROGRAM, Cli
from tests.cli.workflow import HOSTILE, Boom, Greet
from tilebox_celery.cli.output import clean, span
from tilebox_celery.cli.spans import parse_span
from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.workflows import Client

STYLE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def hostile_job(client: Client, cluster: Cluster) -> str:
    """A job whose name, displays and errors try to steer the terminal."""
    job = client.jobs().submit(f"job {HOSTILE}", [Boom(), Greet(HOSTILE)])
    client.runner(tasks=[Boom, Greet]).run_all()
    return str(job.id)


def on_terminal(*words: str, columns: int = 80, **environment: str) -> str:
    """Run a command on a terminal of its own and return what it wrote."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [*PROGRAM, *words],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color", **environment},
    )
    os.close(terminal)
    written = b""
    while True:
        try:
            chunk = os.read(controller, 65536)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(controller)
    process.wait()
    return written.decode()


@pytest.mark.clause("cli-8")
@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["get", "{job}"],
        ["tasks", "{job}"],
        ["tasks", "{job}", "--failed"],
        ["wait", "{job}"],
        ["watch", "{job}"],
    ],
)
def test_text_of_users_is_harmless(cli: Cli, hostile_job: str, words: list[str]) -> None:
    """Control characters, markup and ANSI in names, displays and errors are shown, not obeyed."""
    done = cli("job", *(word.format(job=hostile_job) for word in words))

    printed = done.stdout + done.stderr
    assert "[bold]bold[/bold]" in printed
    assert not {"\x1b", "\x07", "\u202e"} & set(printed)


def test_pipe_gets_no_colours_and_nothing_is_cut(
    cli: Cli, client: Client, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes to another program is plain and whole, without spaces at the ends of lines."""
    monkeypatch.delenv("COLUMNS")
    client.jobs().submit("long " * 100 + "end", Greet("x"))

    done = cli("job", "list")

    assert done.stdout.rstrip().endswith("end")
    assert "\x1b" not in done.stdout
    assert all(line == line.rstrip() for line in done.stdout.splitlines())


def test_terminal_of_80_columns_is_enough(client: Client, cli: Cli, cluster: Cluster) -> None:
    """Lists and trees fit into 80 columns, and show where they have cut long names."""
    job = client.jobs().submit("long " * 100, Greet("x" * 500))
    client.runner(tasks=[Greet]).run_all()

    for words in (["job", "list"], ["job", "tasks", str(job.id)]):
        lines = [STYLE.sub("", line) for line in on_terminal(*words).splitlines()]
        assert 70 < max(map(len, lines)) <= 80
        assert "…" in lines[1]


def test_colours_only_where_they_are_wanted(client: Client, cli: Cli, cluster: Cluster) -> None:
    """A terminal gets colours, unless NO_COLOR is set."""
    client.jobs().submit("a job", Greet("x"))

    coloured, plain = on_terminal("job", "list"), on_terminal("job", "list", NO_COLOR="1")

    assert "\x1b[33mSUBMITTED" in coloured
    assert "\x1b[3" not in plain


def test_watching_on_a_terminal_ends_with_the_tree(hostile_job: str, cli: Cli) -> None:
    """The live view leaves the last picture behind: state, tree, and the error of what failed."""
    shown = on_terminal("job", "watch", hostile_job)

    assert "TASK" in shown
    assert "ValueError: boom" in shown
    assert "\x07" not in shown


def test_closed_pipe_is_no_error(cli: Cli, client: Client, cluster: Cluster) -> None:
    """`| head -1` ends the program without a word."""
    client.jobs().submit("many", [Greet(str(number)) for number in range(3000)])
    job = client.jobs().query()[0].id

    process = cli.start("job", "tasks", str(job), "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()

    assert (process.stderr.read(), process.wait(30)) == ("", 0)


def test_clean_keeps_what_is_readable() -> None:
    """Text of all scripts stays, and lines can be joined."""
    assert clean("Größe 大きい") == "Größe 大きい"
    assert clean("first\n\nsecond\x00", 1) == "first / second\\x00"


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("1.5h", 5400), ("7d", 604800), (" 2W ", 1209600), ("5 m", 300)]
)
def test_spans_are_read(text: str, seconds: float) -> None:
    """Time spans are numbers with a unit, seconds without one."""
    assert parse_span("--before", text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "d", "-1d", "1y", "1h30m", "999999999w", "1e5", "NaN"])
def test_other_spans_are_refused(text: str) -> None:
    """Anything else is refused in the name of its option."""
    with pytest.raises(ArgumentError, match="--before"):
        parse_span("--before", text)


def test_spans_are_written_short() -> None:
    """People see the two largest units."""
    written = [span(seconds) for seconds in (0, 0.25, 59.94, 61, 3600, 86400 * 3 + 7200)]

    assert written == ["0 ms", "250 ms", "59.9 s", "1m 1s", "1h 0m", "3d 2h"]
