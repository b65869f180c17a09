"""A runner of plain Celery tasks for the stock command: ``celery -A canvas_worker:app worker``."""

from canvas_project import TASKS

from tilebox_celery.workflows import Client

app = Client().runner(tasks=TASKS).celery_app
