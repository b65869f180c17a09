"""02: a task that submits subtasks, and a mosaic that waits for its tiles.

Subtasks start once the task that submitted them has ended. A dependency waits for a subtask and for everything that
grows out of it. What tasks hand to each other goes through the job cache, under keys of the tasks' own choice.
"""

from tilebox_celery.workflows import Client, ExecutionContext, Task
from tilebox_celery.workflows.cache import InMemoryCache

SIZE = 4


class Scene(Task):
    """Split the scene into tiles, and put them together when all of them are there."""

    tiles: int

    def execute(self, context: ExecutionContext) -> None:
        places = [(row, column) for row in range(self.tiles) for column in range(self.tiles)]
        tiles = context.submit_subtasks([Tile(row, column) for row, column in places])
        context.submit_subtask(Mosaic(self.tiles), depends_on=tiles)


class Tile(Task):
    """Compute one tile; several runners would share them."""

    row: int
    column: int

    def execute(self, context: ExecutionContext) -> None:
        sign = "#" if (self.row + self.column) % 2 else "."
        context.job_cache[f"tiles/{self.row}-{self.column}"] = "\n".join([2 * sign * SIZE] * SIZE).encode()


class Mosaic(Task):
    """Print all tiles as one picture."""

    tiles: int

    def execute(self, context: ExecutionContext) -> None:
        cache = context.job_cache.group("tiles")
        for row in range(self.tiles):
            across = [cache[f"{row}-{column}"].decode().splitlines() for column in range(self.tiles)]
            for line in zip(*across, strict=True):
                print("".join(line))


client = Client()
job = client.jobs().submit("mini mosaic", Scene(tiles=3))
client.runner(tasks=[Scene, Tile, Mosaic], cache=InMemoryCache()).run_all()

# The tree of tasks, as it has grown.
for root in client.jobs().tasks(job):
    print(root.display, root.state, "with", len(root.children), "subtasks")
