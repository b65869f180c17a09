"""What run_all promises, and what a runner refuses at its making."""

import asyncio
import logging
import sys
from datetime import UTC, datetime

import pytest
from diary import Diary, Failing, Parent, Step, all_tasks, attempts, states

from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.states import JobState
from tilebox_celery.workflows import Client, ExecutionContext, Task


class NoExecute(Task):
    name: str


class Raises(Task):
    """Raises what it is told to, under a display of its choice."""

    what: str
    display: str = ""

    def execute(self, context: ExecutionContext) -> None:
        if self.display:
            context.current_task.display = self.display
        match self.what:
            case "exit":
                sys.exit(3)
            case "base":
                raise NotEvenAnExceptionError("from the bottom")
            case "cancel":
                raise asyncio.CancelledError
            case "generator":
                raise GeneratorExit
            case "interrupt":
                raise KeyboardInterrupt
            case "long":
                raise ValueError("ä" * 100_000)
            case "nul":
                raise ValueError("a\x00b\ud800c")
            case "no repr":
                raise NoReprError
            case "no repr at all":
                raise InterruptingReprError
            case _:
                raise KeyError(self.what)


class NotEvenAnExceptionError(BaseException):
    """What `except Exception` does not catch."""


class NoReprError(Exception):
    """Cannot even be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class InterruptingReprError(Exception):
    """Raises what ends a program when it is shown."""

    def __repr__(self) -> str:
        raise KeyboardInterrupt

    __str__ = __repr__


class Async(Task):
    async def execute(self, context: ExecutionContext) -> None:  # type: ignore[override] # allowed, and awaited
        await asyncio.sleep(0)
        context.submit_subtask(Step("below"))
        Diary.write("async")


class OwnLoop(Task):
    def execute(self, context: ExecutionContext) -> None:
        async def work() -> str:
            await asyncio.sleep(0)
            return "done"

        Diary.write(asyncio.run(work()))


class Picture(Task):
    size: int
    text: str

    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtask(Picture(1, "x" * self.size))


class Number(Task):
    value: float

    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtask(Number(float("nan")))


class Strange(Task):
    value: object

    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtask(Strange(object()))


class Nowhere(Task):
    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtask(Step("lost"), cluster="nowhere")


@pytest.mark.clause("1.5-1")
@pytest.mark.clause("1.5-2")
def test_run_all_runs_what_was_submitted_long_before(
    client: Client, cluster: Cluster, diary: list[str], clock: object
) -> None:
    """run_all executes jobs that are older than any runner, with all that they submit, and returns None."""
    from datetime import timedelta

    job = client.jobs().submit("old", Parent(["one", "two"]))
    clock.advance(timedelta(days=30))  # type: ignore[attr-defined] # DatabaseClock

    result = client.runner(tasks=[Parent, Step]).run_all()  # type: ignore[func-returns-value] # that is the promise

    assert result is None
    assert sorted(diary) == ["one", "parent", "two"]
    assert client.jobs().find(job).state is JobState.COMPLETED
    assert client.jobs().find(job).submitted_at < datetime.now(UTC)


@pytest.mark.clause("1.5-1")
def test_run_all_leaves_no_runner_behind(
    client: Client, cluster: Cluster, diary: list[str], connection: object
) -> None:
    """After run_all, also one that had nothing to do, the ledger lists no live runner."""
    client.runner(tasks=[Step]).run_all()

    rows = connection.execute("select state from tbx.runners").fetchall()  # type: ignore[attr-defined] # a Connection
    assert rows
    assert "live" not in {row[0] for row in rows}


@pytest.mark.clause("1.5-5")
def test_registered_class_runs(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """A class that is registered after the making of the runner is run by it."""
    client.jobs().submit("step", Step("one"))
    runner = client.runner()
    runner.register(Step)

    runner.run_all()

    assert diary == ["one"]


@pytest.mark.clause("1.5-6")
@pytest.mark.clause("1.5-9")
def test_runner_goes_on_after_a_failure(
    client: Client, cluster: Cluster, diary: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A task that raises is FAILED with its traceback and one log line, and the runner runs the next job."""
    bad = client.jobs().submit("bad", Failing("bad"))
    good = client.jobs().submit("good", Step("good"))

    with caplog.at_level(logging.ERROR, logger="tilebox_celery"):
        client.runner(tasks=[Failing, Step]).run_all()

    assert diary == ["bad", "good"]
    (task,) = all_tasks(client, bad)
    assert task.state == "FAILED"
    assert str(task.error).startswith("Traceback")
    assert "diary.py" in str(task.error)
    assert "execution.py" not in str(task.error)
    assert str(task.error).endswith("ValueError: bad had enough\n")
    assert [record.getMessage() for record in caplog.records] == [
        "Task Failing failed with exception: ValueError('bad had enough')"
    ]
    assert client.jobs().find(good).state is JobState.COMPLETED


@pytest.mark.clause("1.5-7")
@pytest.mark.parametrize(
    ("task", "shown"),
    [
        (Raises("Title"), "Raises\nKeyError('Title')"),
        (Raises("Title", "PrintMovieStats"), "PrintMovieStats\nKeyError('Title')"),
        (Raises("Title", "two\nlines"), "two\nlines\nKeyError('Title')"),
    ],
)
def test_display_of_a_failed_task(client: Client, cluster: Cluster, task: Raises, shown: str) -> None:
    """The display of a failed task is its display, a line break and the repr of the error."""
    job = client.jobs().submit("raises", task)

    client.runner(tasks=[Raises]).run_all()

    assert states(client, job) == {shown: "FAILED"}


@pytest.mark.clause("1.5-8")
@pytest.mark.parametrize("length", [10, 1000, 1024, 2000])
def test_long_failed_display_keeps_the_display(client: Client, cluster: Cluster, length: int) -> None:
    """1024 code points hold the display whole, and as much of the error as fits."""
    job = client.jobs().submit("raises", Raises("long", "𝄞" * length))

    client.runner(tasks=[Raises]).run_all()

    (shown,) = states(client, job)
    assert len(shown) == 1024
    assert shown.startswith("𝄞" * min(length, 1024))
    if length < 1022:
        assert shown[length:].startswith("\nValueError('äää")


@pytest.mark.parametrize(
    ("what", "last_line"),
    [
        ("exit", "SystemExit: 3"),
        ("base", "test_run_all.NotEvenAnExceptionError: from the bottom"),
        ("cancel", "asyncio.exceptions.CancelledError"),
        ("generator", "GeneratorExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("nul", "ValueError: a\ufffdb\ufffdc"),
        ("no repr", "test_run_all.NoReprError: <exception str() failed>"),
        ("no repr at all", "test_run_all.InterruptingReprError: <exception str() failed>"),
    ],
)
def test_whatever_a_task_raises_is_its_failure(
    client: Client, cluster: Cluster, diary: list[str], what: str, last_line: str
) -> None:
    """sys.exit, a BaseException, and errors that cannot be shown or stored fail the task, not the runner."""
    logging.disable()  # the log would hold a lone surrogate, which a report between test processes cannot
    bad = client.jobs().submit("bad", Raises(what))
    client.jobs().submit("good", Step("good"))

    try:
        client.runner(tasks=[Raises, Step]).run_all()
    finally:
        logging.disable(logging.NOTSET)

    assert diary == ["good"]
    (attempt,) = attempts(client, bad)
    assert str(attempt.error).rstrip().rpartition("\n")[2] == last_line


def test_error_text_is_cut_at_64_kib(client: Client, cluster: Cluster) -> None:
    """A traceback of 200 kB keeps its start and its end in 64 KiB, and says that it was cut."""
    job = client.jobs().submit("long", Raises("long"))

    client.runner(tasks=[Raises]).run_all()

    (attempt,) = attempts(client, job)
    error = str(attempt.error)
    assert 60_000 < len(error.encode()) <= 64 * 1024
    assert error.startswith("Traceback")
    assert "[cut]" in error
    assert error.endswith("ää\n")


@pytest.mark.parametrize(
    ("task", "sentence"),
    [
        (Picture(1024 * 1024, ""), "The input of subtask Picture has 1,0"),
        (Number(1.0), "nan"),
        (Strange(1), "object"),
        (Nowhere(), "No such cluster 'nowhere'"),
    ],
    ids=["too long", "NaN", "no JSON", "unknown cluster"],
)
def test_subtask_that_cannot_be_stored_fails_its_parent(
    client: Client, cluster: Cluster, diary: list[str], task: Task, sentence: str
) -> None:
    """What cannot be a subtask fails the task that submitted it, by a sentence that says why; nothing is stored."""
    job = client.jobs().submit("bad", task)
    client.jobs().submit("good", Step("good"))

    client.runner(tasks=[type(task), Step]).run_all()

    assert diary == ["good"]
    (only,) = all_tasks(client, job)
    assert only.state == "FAILED"
    assert sentence.lower() in str(only.error).rstrip().rpartition("\n")[2].lower()


def test_async_execute_is_awaited(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """async def execute is run to its end, and its subtasks are stored."""
    client.jobs().submit("async", Async())

    client.runner(tasks=[Async, Step]).run_all()

    assert diary == ["async", "below"]


@pytest.mark.clause("1.1-11")
def test_task_may_call_asyncio_run(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """asyncio.run works inside execute."""
    client.jobs().submit("own loop", OwnLoop())

    client.runner(tasks=[OwnLoop]).run_all()

    assert diary == ["done"]


@pytest.mark.clause("1.5-12")
def test_runner_refuses_what_cannot_be_run(client: Client, cluster: Cluster) -> None:
    """A class without execute is refused by name, and so is what is no task, at the making and by register."""
    with pytest.raises(ValueError, match=r"Task NoExecute is not executable\."):
        client.runner(tasks=[NoExecute])
    with pytest.raises(ValueError, match=r"Task NoExecute is not executable\."):
        client.runner().register(NoExecute)
    with pytest.raises(TypeError, match="int is not a task!"):
        client.runner(tasks=[int])


@pytest.mark.clause("1.2-16")
@pytest.mark.clause("1.5-13")
def test_runner_refuses_two_classes_of_one_identifier(client: Client, cluster: Cluster) -> None:
    """The error names both classes and the identifier; the same class twice is no mistake."""

    class Other(Task):
        @staticmethod
        def identifier() -> tuple[str, str]:
            return "Step", "v0.0"

        def execute(self, context: ExecutionContext) -> None:
            pass

    with pytest.raises(ValueError, match=r"Two tasks are registered as 'Step'.*Step \(v0\.0\) and Other \(v0\.0\)"):
        client.runner(tasks=[Step, Other])
    assert len(client.runner(tasks=[Step, Step]).registry) == 1


def test_tasks_run_event_loops_in_a_notebook(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """A cell of a notebook runs in an event loop: async tasks and asyncio.run work there, and the loop goes on."""

    async def cell() -> None:
        other = asyncio.create_task(asyncio.sleep(0, "goes on"))
        this = asyncio.current_task()
        client.runner(tasks=[Async, OwnLoop, Step]).run_all()
        assert asyncio.current_task() is this
        assert asyncio.get_event_loop() is asyncio.get_running_loop()
        diary.append(await other)

    job = client.jobs().submit("loops", [Async(), OwnLoop()])
    asyncio.run(cell())

    assert diary == ["async", "done", "below", "goes on"]
    assert client.jobs().find(job).state == JobState.COMPLETED
