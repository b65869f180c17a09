"""The values that clients return: jobs, tasks, clusters and their states."""

from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.job import Attempt, ExecutionStats, Job, ProgressIndicator, TaskView, Why
from tilebox_celery.model.states import JobState, TaskState

__all__ = [
    "Attempt",
    "Cluster",
    "ExecutionStats",
    "Job",
    "JobState",
    "ProgressIndicator",
    "TaskIdentifier",
    "TaskState",
    "TaskView",
    "Why",
]
