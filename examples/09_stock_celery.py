"""09: the runner as a stock Celery worker, with Celery's own command line.

``celery -A 09_stock_celery:app worker --pool prefork --concurrency 4`` in this folder starts it; ``python
09_stock_celery.py`` submits a job from another terminal. Flower, ``celery inspect`` and whatever starts your Celery
workers today work as well.
"""

from tilebox_celery.workflows import Client, ExecutionContext, Task


class Squares(Task):
    count: int

    def execute(self, context: ExecutionContext) -> None:
        context.submit_subtasks([Square(number) for number in range(self.count)])


class Square(Task):
    number: int

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = f"{self.number} squared is {self.number**2}"


client = Client()
app = client.runner(tasks=[Squares, Square]).celery_app

if __name__ == "__main__":
    job = client.jobs().submit("squares", Squares(10)).wait(timeout=120)
    print(job.state)
    for root in client.jobs().tasks(job):
        for child in root.children:
            print(child.display)
