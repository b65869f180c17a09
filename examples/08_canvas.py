"""08: a canvas of Celery tasks that you have already, as a durable job.

``submit_canvas`` takes a chain, group, chord or chunks. Each step becomes a task of the ledger: visible, retried, and
resumed after a crash of worker or broker. No result backend is needed.
"""

from celery import Celery, chain, chord, group

from tilebox_celery.workflows import Client

app = Celery("sums", set_as_current=False)


@app.task
def add(first: int, second: int) -> int:
    return first + second


@app.task
def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task
def show(number: int) -> str:
    return f"the sum is {number}"


client = Client()
canvas = chain(chord(group(add.s(n, n) for n in range(10)), total.s()), show.s())

# A runner registers plain Celery tasks beside Task classes; one that lives elsewhere would do it in its own program.
runner = client.runner(tasks=[add, total, show])
job = client.jobs().submit_canvas("sums", canvas)
runner.run_all()

print(client.jobs().find(job).state)
print(client.jobs().result(job))
