"""The workflow that the runner of compose.yaml executes until you put your own beside it."""

from tilebox_celery.workflows import ExecutionContext, Task


class Hello(Task):
    """Print a greeting."""

    name: str = "World"

    def execute(self, context: ExecutionContext) -> None:
        """Say hello on the runner's output."""
        context.current_task.display = f"Hello {self.name}"
        print(f"Hello {self.name}")
