"""Tasks that leave a line for each thing they do, and a worker for them: ``python workflow.py --pool prefork``."""

import argparse
import multiprocessing
import os
import signal
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ClassVar

from tilebox_celery.workflows import Client, ExecutionContext, Task


def leave(line: str) -> None:
    """Append a line in one write, which no other process can split."""
    fd = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{line}\n".encode())
    os.close(fd)


class Step(Task):
    """Starts, takes its time, ends."""

    name: str
    seconds: float = 0.0

    def execute(self, context: ExecutionContext) -> None:
        leave(f"start {self.name} {os.getpid()}")
        if self.seconds:
            time.sleep(self.seconds)
        leave(f"end {self.name} {os.getpid()}")


class Fan(Task):
    """Several steps, and one that waits for all of them."""

    count: int
    seconds: float = 0.0
    prefix: str = ""
    max_subtasks: ClassVar[int | None] = None

    def execute(self, context: ExecutionContext) -> None:
        steps = context.submit_subtasks([Step(f"{self.prefix}{i}", self.seconds) for i in range(self.count)])
        context.submit_subtask(Step(f"{self.prefix}join"), depends_on=steps)


class Row(Task):
    """Steps one after the other."""

    count: int
    seconds: float = 0.0

    def execute(self, context: ExecutionContext) -> None:
        before = None
        for i in range(self.count):
            before = context.submit_subtask(Step(str(i), self.seconds), depends_on=before)


class Poison(Task):
    """Kills its process whenever it runs."""

    def execute(self, context: ExecutionContext) -> None:
        leave("poison")
        os.kill(os.getpid(), signal.SIGKILL)


class Quits(Task):
    """Raises what ends a Python program."""

    error: str

    def execute(self, context: ExecutionContext) -> None:
        leave(f"quits {self.error}")
        raise {"interrupt": KeyboardInterrupt, "exit": SystemExit}[self.error]("enough")


class Forks(Task):
    """Forks a process that comes back out of `execute`."""

    end: str

    def execute(self, context: ExecutionContext) -> None:
        if (child := os.fork()) == 0:
            context.current_task.display = "the child"
            if self.end == "raises":
                raise ValueError("of the child")
            return
        leave(f"child ended {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}")
        context.submit_subtask(Step("of the parent"))


class Processes(Task):
    """Starts processes by multiprocessing."""

    method: str

    def execute(self, context: ExecutionContext) -> None:
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(self.method)) as pool:
            leave(f"processes {list(pool.map(abs, [-1, -2]))}")


class Program(Task):
    """Runs a program of half a minute for the first time, and looks for it when it is run again."""

    def execute(self, context: ExecutionContext) -> None:
        if context.current_task.attempt > 1:
            pid = Path(os.environ["EFFECTS"]).read_text().split()[1]
            there = Path(f"/proc/{pid}/cmdline")
            leave("beside" if there.exists() and there.read_bytes() else "alone")  # that of a zombie is empty
            return
        # in a group of its own: the group of a pool child is not all that it starts
        program = subprocess.Popen(["sleep", "31"], process_group=0)
        leave(f"program {program.pid} of {os.getpid()}")
        program.wait()


class PoisonedBatch(Task):
    """One poison among many good tasks."""

    count: int

    def execute(self, context: ExecutionContext) -> None:
        for i in range(self.count):
            context.submit_subtask(Poison() if i == self.count // 2 else Step(str(i)))


class HoldTheGil(Task):
    """Computes in C without ever letting another thread run."""

    seconds: float

    def execute(self, context: ExecutionContext) -> None:
        leave("start gil")
        begun = time.monotonic()
        while time.monotonic() - begun < self.seconds:
            sum(range(60_000_000))
        leave("end gil")


class Elsewhere(Task):
    """Submits a step to another cluster."""

    cluster: str

    def execute(self, context: ExecutionContext) -> None:
        there = context.submit_subtask(Step("there"), cluster=self.cluster)
        context.submit_subtask(Step("here"), depends_on=there)


class Versioned(Task):
    """A task whose version the environment chooses, as a roll-out would."""

    name: str

    @staticmethod
    def identifier() -> tuple[str, str]:
        return "system.Versioned", os.environ.get("STEP_VERSION", "v1.3")

    def execute(self, context: ExecutionContext) -> None:
        leave(f"start {self.name} {self.identifier()[1]}")
        leave(f"end {self.name} {self.identifier()[1]}")
        time.sleep(0.05)


class VersionedRow(Task):
    """Tasks of the version of whoever runs this, one after the other."""

    count: int

    def execute(self, context: ExecutionContext) -> None:
        before = None
        for i in range(self.count):
            before = context.submit_subtask(Versioned(str(i)), depends_on=before)


class Stamped(Task):
    """Leaves the time at which it starts."""

    seconds: float

    def execute(self, context: ExecutionContext) -> None:
        leave(f"stamp {time.time()}")
        time.sleep(self.seconds)


class Stamps(Task):
    """Many stamped tasks."""

    count: int
    seconds: float
    max_subtasks: ClassVar[int | None] = None

    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtasks([Stamped(self.seconds) for _ in range(self.count)])


class UntilThere(Task):
    """Fails until a file is there."""

    path: str

    def execute(self, context: ExecutionContext) -> None:
        assert Path(self.path).exists(), "not there yet"
        leave("end until-there")


class OneFails(Task):
    """A step of some time, beside a task that fails until a file is there."""

    seconds: float
    path: str

    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtasks([Step("slow", self.seconds), UntilThere(self.path)])


TASKS: list[type[Task]] = [
    *(Step, Fan, Row, Poison, Quits, Program, PoisonedBatch, HoldTheGil, Elsewhere, Versioned, VersionedRow),
    *(Stamped, Stamps, UntilThere, OneFails, Forks, Processes),
]


def __getattr__(name: str) -> object:
    """Make the app of stock commands on demand: ``celery -A workflow:app worker``."""
    if name != "app":
        raise AttributeError(name)
    return Client().runner(tasks=TASKS).celery_app


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pool", default="prefork")
    parser.add_argument("--concurrency", type=int, default=2)
    parser.add_argument("--cluster")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    tasks = [task for task in TASKS if not options.only or task.__name__ in options.only.split(",")]
    runner = Client().runner(options.cluster, tasks=tasks)
    Path(os.environ["EFFECTS"] + ".ready").touch()
    runner.run_forever(pool=options.pool, concurrency=1 if options.pool == "solo" else options.concurrency)


if __name__ == "__main__":
    main()
