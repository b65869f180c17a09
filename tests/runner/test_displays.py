"""What a task is called in lists after it has failed and run again."""

from pathlib import Path

from tilebox_celery.workflows import Client, ExecutionContext, Task


class Flaky(Task):
    flag: str

    def execute(self, context: ExecutionContext) -> None:
        if not Path(self.flag).exists():
            Path(self.flag).touch()
            raise RuntimeError("once")


def test_a_retried_task_loses_its_error_from_its_display(client: Client, cluster: object, tmp_path: Path) -> None:
    """A task that succeeds at its second attempt shows no error."""
    job = client.jobs().submit("flaky", Flaky(str(tmp_path / "flag")), max_retries=1)

    client.runner(tasks=[Flaky]).run_all()

    (task,) = client.jobs().tasks(job)
    assert (task.display, task.state, len(task.attempts)) == ("Flaky", "COMPUTED", 2)


def test_a_retried_job_shows_its_failed_task_without_the_error(client: Client, cluster: object, tmp_path: Path) -> None:
    """A failed task shows its error, and after the job's retry its name alone."""
    job = client.jobs().submit("flaky", Flaky(str(tmp_path / "flag")))
    runner = client.runner(tasks=[Flaky])
    runner.run_all()
    (failed,) = client.jobs().tasks(job)

    client.jobs().retry(job)
    runner.run_all()

    (task,) = client.jobs().tasks(job)
    assert failed.display == "Flaky\nRuntimeError('once')"
    assert (task.display, task.state) == ("Flaky", "COMPUTED")
