"""What is printed when console logging is configured."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3})Z ([A-Z]+) (.*)")
HEAD = """
from tilebox_celery.observability.context_logger import ContextLogger
import logging
from tilebox_celery.observability.logging import *
configure_console_logging()
logger = get_logger()
"""
HOSTILE = {
    "line feed": "done\n2026-01-01 00:00:00.000Z ERROR fake",
    "carriage return": "done\r2026-01-01 00:00:00.000Z ERROR fake",
    "unicode lines": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "colours": "\x1b[31mred\x1b[0m",
    "terminal title": "\x1b]0;owned\x07",
    "one byte escapes": "\x9b31m\x90payload\x9c",
    "bidirectional": "user\u202etxt.exe\u2066\u2069\u200f",
    "zero width": "a\u200bb\u200dc\ufeffd\u00ade",
    "nul and bell": "a\0b\x07c\x08\x7f",
    "half a pair": "\ud83d broken",
    "format string": "%(name)s %s %d {0} {name}",
}


@pytest.mark.clause("1.10-3")
def test_messages_are_printed_with_time_and_level(run: Callable) -> None:
    """Messages of INFO and above go to standard output as time, level and message, the time in UTC."""
    before = datetime.now(UTC).replace(microsecond=0)

    done = run(HEAD + "logger.debug('no')\nlogger.info('one %s', 1)\nget_logger('x').error('two')", TZ="Asia/Tokyo")

    first, second = (LINE.fullmatch(line) for line in done.stdout.splitlines())
    assert first
    assert second
    assert (first[2], first[3], second[2], second[3]) == ("INFO", "one 1", "ERROR", "two")
    assert before <= datetime.fromisoformat(first[1]).replace(tzinfo=UTC) <= datetime.now(UTC)
    assert done.stderr == ""


@pytest.mark.clause("1.10-8")
def test_the_runners_own_messages_are_warnings(run: Callable) -> None:
    """Of what runners log about themselves only warnings are printed, whatever level the user's messages have."""
    done = run("""
        import logging
        from tilebox_celery.observability.logging import *
        configure_console_logging("DEBUG")
        logging.getLogger("tilebox_celery.runner").info("internal")
        logging.getLogger("tilebox_celery.runner").warning("important")
        get_logger().debug("mine")
    """)

    assert [LINE.fullmatch(line)[3] for line in done.stdout.splitlines()] == ["important", "mine"]


@pytest.mark.clause("1.10-3")
def test_configuring_twice_prints_once(run: Callable) -> None:
    """A second call changes the level and does not double the lines; a root handler does not either."""
    done = run("""
        import logging, sys
        from tilebox_celery.observability.logging import *
        logging.basicConfig(stream=sys.stdout, level=0)
        configure_console_logging("ERROR")
        get_logger().info("not yet")
        configure_console_logging(logging.DEBUG)
        get_logger().debug("once")
        configure_console_logging(logging.WARNING)
        get_logger().info("no more")
    """)

    assert [LINE.fullmatch(line)[3] for line in done.stdout.splitlines()] == ["once"]


def test_output_follows_a_replaced_stdout(run: Callable) -> None:
    """Whoever replaces sys.stdout after the configuration, as notebooks do, gets the messages."""
    done = run(
        HEAD + "import io, sys, contextlib\nwith contextlib.redirect_stdout(io.StringIO()) as out:\n"
        "    logger.info('caught')\nprint(len(out.getvalue().splitlines()))"
    )

    assert done.stdout == "1\n"


@pytest.mark.clause("1.10-3")
@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
    ids=str,
)
def test_levels_are_coloured_on_a_terminal(environment: dict[str, str], coloured: bool) -> None:
    """On a terminal the level is coloured, unless NO_COLOR or a dumb terminal says no."""
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-c", HEAD + "logger.error('x')"],
        stdout=theirs,
        env={**os.environ, "TERM": "xterm", **environment},
        check=True,
        timeout=60,
    )
    os.close(theirs)

    line = os.read(ours, 1000).decode()
    os.close(ours)

    assert ("\x1b[31mERROR\x1b[0m x" in line) == coloured
    assert ("\x1b" in line) == coloured


@pytest.mark.parametrize(("environment", "coloured"), [({}, False), ({"FORCE_COLOR": "1"}, True)], ids=str)
def test_a_pipe_is_coloured_only_by_force(run: Callable, environment: dict[str, str], coloured: bool) -> None:
    """Output into a file or pipe has no colours unless FORCE_COLOR asks for them."""
    done = run(HEAD + "logger.error('x')", **environment)

    assert ("\x1b" in done.stdout) == coloured


def test_what_users_write_stays_in_its_line(run: Callable) -> None:
    """Messages, attributes and errors cannot start a line of their own or steer the terminal, and are not formats."""
    done = run(
        HEAD
        + f"""
for text in {list(HOSTILE.values())!r}:
    logger.info(text)
    logger.info("%s", text)
    ContextLogger().bind(**{{text: text}}).info(text)
    log_task_failure(logger, text, ValueError(text))
"""
    )

    lines = done.stdout.split("\n")[:-1]
    heads = [line for line in lines if not line.startswith("    ")]
    assert done.stderr == ""
    assert len(heads) == 4 * len(HOSTILE)
    assert [line for line in heads if not LINE.fullmatch(line)] == []
    assert [line for line in lines if not line.isprintable()] == []


def test_a_huge_message_is_cut(run: Callable) -> None:
    """A message of a megabyte is printed up to 64 K characters, and says how much is missing."""
    done = run(HEAD + "logger.info('x' * 1_000_000)")

    assert len(done.stdout) < 70_000
    assert done.stdout.endswith("xxx... (934464 more characters)\n")


@pytest.mark.clause("1.10-7")
def test_a_failed_task_is_one_documented_line(run: Callable) -> None:
    """A failed task is logged as its class and exception, and the traceback begins in the user's code."""
    done = run(
        HEAD
        + """
from tilebox_celery.caches import InMemoryCache
cache = InMemoryCache()
def execute():
    cache["Title"]
try:
    execute()
except KeyError as error:
    log_task_failure(logger, "PrintMovieStats", KeyError("Title").with_traceback(error.__traceback__))
"""
    )

    first, *rest = done.stdout.splitlines()
    assert LINE.fullmatch(first).groups()[1:] == (
        "ERROR",
        "Task PrintMovieStats failed with exception: KeyError('Title')",
    )
    assert rest[0] == "    Traceback (most recent call last):"
    assert "script.py" in rest[1]
    assert rest[-1] == "    KeyError: 'Title'"


def test_frames_of_the_runner_are_left_out_of_the_traceback(run: Callable) -> None:
    """The traceback of a failed task skips the frames through which the runner called it."""
    done = run(
        HEAD
        + """
from tilebox_celery.caches import FencedCache, InMemoryCache
def execute():
    raise KeyError("Title")
try:
    FencedCache(InMemoryCache(), is_current=execute)["x"] = b""
except KeyError as error:
    error.__traceback__ = error.__traceback__.tb_next
    log_task_failure(logger, "PrintMovieStats", error)
"""
    )

    assert "fenced.py" not in done.stdout
    assert "in execute" in done.stdout


def test_an_error_that_cannot_be_shown_is_still_logged(run: Callable) -> None:
    """An exception whose own repr and str fail is logged by its class."""
    done = run(
        HEAD
        + """
class Broken(Exception):
    def __repr__(self): raise RuntimeError("no")
    __str__ = __repr__
try:
    raise Broken
except Broken as error:
    log_task_failure(logger, "Tile", error)
    ContextLogger().exception("again", error=error)
"""
    )

    heads = [line for line in done.stdout.splitlines() if not line.startswith("    ")]
    assert heads[0].endswith("Task Tile failed with exception: <Broken, whose repr raised RuntimeError>")
    assert heads[1].endswith('again error="<Broken, whose repr raised RuntimeError>"')
    assert done.stderr == ""


@pytest.mark.clause("1.10-4")
def test_loggers_live_in_one_namespace(run: Callable) -> None:
    """get_logger gives loggers below tilebox_celery.workflows, with a level of their own if one is asked for."""
    done = run(
        HEAD
        + """
print(logger.name, get_logger("a.b").name)
get_logger("quiet", level=logging.ERROR).warning("no")
get_logger("loud", level="DEBUG").debug("below what the handler wants")
get_logger("quiet").error("yes")
"""
    )

    first, second = done.stdout.splitlines()
    assert first == "tilebox_celery.workflows tilebox_celery.workflows.a.b"
    assert second.endswith("ERROR yes")
