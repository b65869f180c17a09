"""01: one task, submitted as a job and run in this process.

Run it with ``python examples/01_hello_world.py``. No server is needed: without any URL a real Postgres and a real
Valkey start by themselves in a data directory, and stop a minute after the last program that uses them.
"""

from tilebox_celery.workflows import Client, ExecutionContext, Task


class Greet(Task):
    """A task is a class; its fields are its input, stored as JSON."""

    name: str
    times: int = 1

    def execute(self, context: ExecutionContext) -> None:
        for _ in range(self.times):
            print(f"Hello {self.name}!")


client = Client()

# Submitting stores the job. It waits until a runner that knows the class takes it, now or next week.
job = client.jobs().submit("hello", Greet("World", times=2))
print(job.state)

# A runner takes the tasks of one cluster (here: the default one) whose classes it registered.
client.runner(tasks=[Greet]).run_all()

print(client.jobs().find(job).state)
