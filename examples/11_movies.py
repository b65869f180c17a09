"""11: a task that fails for good, the repair, and the job that goes on where it stopped.

An error is logged in one line and kept in the ledger. The job stops; other jobs go on. Corrected code takes the
failed task over, and nothing that was computed runs a second time.
"""

from tilebox_celery.workflows import Client, ExecutionContext, Task
from tilebox_celery.workflows.observability.logging import configure_console_logging

ARCHIVE = {
    "metropolis": {"Title": "Metropolis", "Year": 1927},
    "moon": {"Name": "A Trip to the Moon", "Year": 1902},
}


class Movies(Task):
    keys: list[str]

    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtasks([PrintMovieStats(key) for key in self.keys])


class PrintMovieStats(Task):
    key: str

    def execute(self, context: ExecutionContext) -> None:
        movie = ARCHIVE[self.key]
        print(f"{movie['Title']} is of {movie['Year']}")


configure_console_logging()
client = Client()
job = client.jobs().submit("movies", Movies(["metropolis", "moon"]))
client.runner(tasks=[Movies, PrintMovieStats]).run_all()

print(client.jobs().find(job).state)
for task in client.jobs().iter_tasks(job):
    print(f"{task.state}: {task.display!r}")


class Corrected(PrintMovieStats):
    """The next release of the class: same name, higher minor version."""

    @staticmethod
    def identifier() -> tuple[str, str]:
        return "PrintMovieStats", "v0.1"

    def execute(self, context: ExecutionContext) -> None:
        movie = ARCHIVE[self.key]
        print(f"{movie.get('Title') or movie['Name']} is of {movie['Year']}")


client.jobs().retry(job)
client.runner(tasks=[Movies, Corrected]).run_all()
print(client.jobs().find(job).state)
