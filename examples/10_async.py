"""10: asynchronous tasks.

``execute`` may be ``async def``; the runner awaits it. A plain ``execute`` may call ``asyncio.run`` itself.
"""

import asyncio

from tilebox_celery.workflows import Client, ExecutionContext, Task


class FetchAll(Task):
    """Awaits several things at once, inside one task."""

    names: list[str]

    async def execute(self, context: ExecutionContext) -> None:
        found = await asyncio.gather(*(fetch(name) for name in self.names))
        print("awaited:", *found)
        context.submit_subtask(FetchOne(self.names[0]))


class FetchOne(Task):
    """Starts an event loop of its own."""

    name: str

    def execute(self, context: ExecutionContext) -> None:
        print("run:", asyncio.run(fetch(self.name)))


async def fetch(name: str) -> str:
    """Stands for a request."""
    await asyncio.sleep(0)
    return name.upper()


client = Client()
job = client.jobs().submit("fetch", FetchAll(["red", "green", "blue"]))
client.runner(tasks=[FetchAll, FetchOne]).run_all()
print(client.jobs().find(job).state)
