"""What a running task may ask of the ledger: progress that is seen while it runs, and what it depended on."""

import multiprocessing
import threading
import time
from pathlib import Path
from typing import ClassVar

import pytest
from diary import Diary, Step, all_tasks

from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.workflows import Client, ExecutionContext, Task


class Slow(Task):
    """Works until somebody else has seen how far it is."""

    client: ClassVar[Client]

    def execute(self, context: ExecutionContext) -> None:
        bar = context.progress("tiles")
        bar.add(4)
        job = context.current_task.job
        assert job is not None
        deadline = time.monotonic() + 30
        while not (found := self.client.jobs().find(job.id)).progress:
            assert time.monotonic() < deadline, "nobody sees the progress"
            bar.done(0)
            time.sleep(0.05)
        Diary.write(f"{found.state}: {found.progress[0].done} of {found.progress[0].total}")
        bar.done(4)


class LeavesThreads(Task):
    """Moves its bars from threads that go on when it has ended."""

    threads: ClassVar[list[threading.Thread]] = []

    def execute(self, context: ExecutionContext) -> None:
        bar = context.progress()
        until = time.monotonic() + 2.5

        def move() -> None:
            while time.monotonic() < until:
                bar.add()
                time.sleep(0.001)

        self.threads[:] = [threading.Thread(target=move) for _ in range(4)]
        for thread in self.threads:
            thread.start()
        time.sleep(1.2)


class LeavesAThread(Task):
    """Submits subtasks from a thread that goes on when it has ended."""

    ended: ClassVar[threading.Event]
    threads: ClassVar[list[threading.Thread]] = []

    def execute(self, context: ExecutionContext) -> None:
        def submit() -> None:
            assert self.ended.wait(30)
            for submit_late in (
                lambda: context.submit_subtask(Step("a")),
                lambda: context.submit_subtasks([Step("b")]),
            ):
                try:
                    submit_late()
                except TileboxCeleryError as error:
                    Diary.write(str(error))

        context.submit_subtask(Step("in time"))
        self.threads[:] = [threading.Thread(target=submit)]
        self.threads[0].start()


class StartsAProcess(Task):
    """Uses its context in a process that it forks."""

    diary: str

    def execute(self, context: ExecutionContext) -> None:
        bar = context.progress()
        time.sleep(1.1)  # the next report is due
        process = multiprocessing.get_context("fork").Process(target=self.use, args=(context, self.diary))
        process.start()
        process.join(20)
        bar.add(2)

    def use(self, context: ExecutionContext, diary: str) -> None:
        context.progress().add(7)
        said = []
        for use in (lambda: context.submit_subtask(Step("lost")), lambda: context.current_task.depends_on):
            try:
                use()
            except TileboxCeleryError as error:
                said.append(str(error))
        Path(diary).write_text("\n".join(said))


class Asks(Task):
    """Says what it depended on."""

    def execute(self, context: ExecutionContext) -> None:
        Diary.write(" ".join(str(task) for task in context.current_task.depends_on))


class Order(Task):
    def execute(self, context: ExecutionContext) -> None:
        first = context.submit_subtasks([Step("a"), Step("b")])
        context.submit_subtask(Asks(), depends_on=first)


@pytest.mark.clause("2.context-3")
def test_progress_is_seen_while_the_task_runs(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """A long task's bars are in the ledger about a second after they move, and whole at its end."""
    Slow.client = client
    job = client.jobs().submit("slow", Slow())

    client.runner(tasks=[Slow]).run_all()

    assert diary == ["RUNNING: 0 of 4"]
    assert [(bar.done, bar.total) for bar in client.jobs().find(job).progress] == [(4, 4)]


def test_threads_that_outlive_their_task_disturb_nobody(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """Bars may be moved by many threads; after the end of the task they reach the ledger no more."""
    job = client.jobs().submit("threads", [LeavesThreads(), *(Step(str(i)) for i in range(300))])

    client.runner(tasks=[LeavesThreads, Step]).run_all()

    ((before,),) = [[bar.total for bar in client.jobs().find(job).progress]]
    for thread in LeavesThreads.threads:
        thread.join()
    assert client.jobs().find(job).progress[0].total == before
    assert client.jobs().find(job).state == "COMPLETED"
    assert sorted(diary) == sorted(str(i) for i in range(300))


@pytest.mark.clause("2.context-6")
def test_current_task_knows_what_it_depended_on(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """`depends_on` holds the ids of the tasks before, and is empty where there is none."""
    job = client.jobs().submit("order", [Order(), Asks()])

    client.runner(tasks=[Order, Asks, Step]).run_all()

    steps = [str(task.id) for task in all_tasks(client, job) if task.identifier.name == "Step"]
    assert sorted(diary) == sorted(["a", "b", "", " ".join(steps)])


def test_a_subtask_that_comes_too_late_is_refused(client: Client, cluster: Cluster, diary: list[str]) -> None:
    """A thread that outlives its task learns that its subtasks are not taken, instead of losing them."""
    LeavesAThread.ended = threading.Event()
    job = client.jobs().submit("late", LeavesAThread())

    client.runner(tasks=[LeavesAThread, Step]).run_all()
    LeavesAThread.ended.set()
    LeavesAThread.threads[0].join()

    sentence = "The task has ended: wait for threads that submit subtasks before execute returns."
    assert diary == ["in time", sentence, sentence]
    assert len(list(all_tasks(client, job))) == 2


def test_a_forked_process_does_not_talk_to_the_ledger(client: Client, cluster: Cluster, tmp_path: Path) -> None:
    """In a process that a task forks, what would be lost is refused, and the slot's connection is left alone."""
    told = tmp_path / "told"
    job = client.jobs().submit("forks", StartsAProcess(str(told)))

    client.runner(tasks=[StartsAProcess, Step]).run_all()

    cannot = "A process that a task has started cannot"
    assert told.read_text().splitlines() == [
        f"{cannot} submit subtasks: do it in the task itself.",
        f"{cannot} ask for depends_on: do it in the task itself.",
    ]
    assert client.jobs().find(job).state == "COMPLETED"
    assert [bar.total for bar in client.jobs().find(job).progress] == [2]
