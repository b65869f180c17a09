"""07: a recursive workflow with a job cache in the file system, and log messages on the console.

Each task looks into the cache before it submits more: what one branch has computed, another one finds. With a
folder that several machines share, their runners share the cache, too.
"""

from tilebox_celery.workflows import Client, ExecutionContext, Task
from tilebox_celery.workflows.cache import LocalFileSystemCache
from tilebox_celery.workflows.observability.logging import configure_console_logging


class PrintFibonacci(Task):
    """Compute, then print."""

    n: int

    def execute(self, context: ExecutionContext) -> None:
        computed = context.submit_subtask(Fibonacci(self.n))
        context.submit_subtask(PrintNumber(self.n), depends_on=computed)


class Fibonacci(Task):
    """Fill the cache with the n-th number."""

    n: int

    def execute(self, context: ExecutionContext) -> None:
        cache = context.job_cache
        if str(self.n) in cache:
            context.logger.info("already there", n=self.n)
        elif self.n <= 2:
            cache[str(self.n)] = b"1"
        else:
            # The smaller one first: the larger one then finds it.
            smaller = context.submit_subtask(Fibonacci(self.n - 2))
            larger = context.submit_subtask(Fibonacci(self.n - 1), depends_on=smaller)
            context.submit_subtask(AddUp(self.n), depends_on=[smaller, larger])


class AddUp(Task):
    """Add the two numbers before."""

    n: int

    def execute(self, context: ExecutionContext) -> None:
        cache = context.job_cache
        number = int(cache[str(self.n - 2)]) + int(cache[str(self.n - 1)])
        cache[str(self.n)] = str(number).encode()


class PrintNumber(Task):
    n: int

    def execute(self, context: ExecutionContext) -> None:
        number = int(context.job_cache[str(self.n)])
        context.logger.info("computed", n=self.n, number=number)


configure_console_logging()
client = Client()
job = client.jobs().submit("fibonacci", PrintFibonacci(12))
client.runner(tasks=[PrintFibonacci, Fibonacci, AddUp, PrintNumber], cache=LocalFileSystemCache("cache")).run_all()

stats = client.jobs().find(job).execution_stats
print(stats.total_tasks, "tasks; a recursion without a cache calls itself 287 times")
