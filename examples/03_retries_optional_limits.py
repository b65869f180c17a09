"""03: tasks that fail: again by themselves, without harm, or until somebody retries the job.

``max_retries`` repeats a task after an error. An ``optional`` task may fail for good, and the job goes on without it.
``limit`` bounds how many tasks of a job run at once under one key, however many runners there are.
"""

from tilebox_celery.workflows import Client, ExecutionContext, Task
from tilebox_celery.workflows.data import TaskState

server_is_up = False


class Products(Task):
    def execute(self, context: ExecutionContext) -> None:
        # At most two downloads at once, since the archive asks for it; each may fail twice.
        downloads = context.submit_subtasks([Download(n) for n in range(3)], max_retries=2, limit=("archive", 2))
        thumbnail = context.submit_subtask(Thumbnail(), depends_on=downloads, optional=True)
        context.submit_subtask(Publish(), depends_on=[*downloads, thumbnail])


class Download(Task):
    """Fails at first, as downloads do."""

    number: int

    def execute(self, context: ExecutionContext) -> None:
        if context.current_task.retry_count < self.number:
            raise ConnectionError(f"download {self.number}: connection reset")
        print(f"download {self.number}: done at attempt {context.current_task.retry_count + 1}")


class Thumbnail(Task):
    """Fails always, and nobody needs it."""

    def execute(self, context: ExecutionContext) -> None:
        raise ValueError("no thumbnail today")


class Publish(Task):
    """Fails while a server is away, and has no retries of its own."""

    def execute(self, context: ExecutionContext) -> None:
        if not server_is_up:
            raise ConnectionError("the catalogue is away")
        print("published")


client = Client()
runner = client.runner(tasks=[Products, Download, Thumbnail, Publish])
job = client.jobs().submit("products", Products())
runner.run_all()

job = client.jobs().find(job)
print(job.state, "after", job.execution_stats.attempts, "attempts")
for task in client.jobs().iter_tasks(job):
    if task.state in (TaskState.FAILED, TaskState.FAILED_OPTIONAL):
        print(f"{task.identifier.name} is {task.state}:", (task.error or "").splitlines()[-1])

# When the cause is gone, the failed task runs again, and only that.
server_is_up = True
print("tasks to run again:", client.jobs().retry(job))
runner.run_all()
print(client.jobs().find(job).state)
