"""How jobs, tasks and runners look as JSON."""

from typing import TYPE_CHECKING, Any

from tilebox_celery.cli.output import iso
from tilebox_celery.model.job import Attempt, Job, TaskView, Why

if TYPE_CHECKING:
    from tilebox_celery.ledger.queries_runners import RunnerView


def job_document(job: Job) -> dict[str, Any]:
    """Return a job as JSON has it."""
    stats = job.execution_stats
    return {
        "id": str(job.id),
        "name": job.name,
        "state": str(job.state),
        "canceled": job.canceled,
        "submitted_at": iso(job.submitted_at),
        "started_at": iso(job.started_at),
        "finished_at": iso(job.finished_at),
        "tasks": {str(state): count for state, count in stats.tasks_by_state.items()},
        "progress": [{"label": bar.label, "done": bar.done, "total": bar.total} for bar in job.progress],
        "stats": {
            "elapsed_seconds": stats.elapsed.total_seconds(),
            "compute_seconds": stats.compute_time.total_seconds(),
            "cpu_seconds": stats.cpu_seconds,
            "peak_rss_bytes": stats.peak_rss_bytes,
            "attempts": stats.attempts,
            "parallelism": stats.parallelism,
            "last_task_stopped_at": iso(stats.last_task_stopped_at),
        },
        "trace_parent": job.trace_parent,
    }


def task_document(task: TaskView) -> dict[str, Any]:
    """Return a task as JSON has it; `parent_id` says where it belongs."""
    return {
        "id": str(task.id),
        "parent_id": None if task.parent_id is None else str(task.parent_id),
        "task": task.identifier.name,
        "version": task.identifier.version,
        "display": task.display,
        "state": str(task.state),
        "cluster": task.cluster,
        "optional": task.optional,
        "max_retries": task.max_retries,
        "depends_on": [str(each) for each in task.depends_on],
        "submitted_at": iso(task.submitted_at),
        "started_at": iso(task.started_at),
        "finished_at": iso(task.finished_at),
        "runner": task.runner,
        "error": task.error,
        "attempts": [_attempt(each) for each in task.attempts],
    }


def why_document(why: Why) -> dict[str, Any]:
    """Return why a task does not run as JSON has it."""
    return {"task_id": str(why.task_id), "display": why.display, "reason": why.reason}


def runner_document(runner: "RunnerView") -> dict[str, Any]:
    """Return a runner as JSON has it."""
    return {
        "name": runner.name,
        "cluster": runner.cluster,
        "host": runner.host,
        "pid": runner.pid,
        "state": runner.state,
        "alive": runner.is_alive,
        "wake_by": runner.wake_by,
        "code_version": runner.code_version,
        "started_at": iso(runner.started_at),
        "seen_at": iso(runner.seen_at),
        "tasks": [{"task": each.name, "version": each.version} for each in runner.tasks],
        "slots": [
            {"number": slot.number, "pid": slot.pid, "state": slot.state, "alive": slot.is_alive}
            for slot in runner.slots
        ],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "runner": attempt.runner,
        "outcome": attempt.outcome,
        "claimed_at": iso(attempt.claimed_at),
        "started_at": iso(attempt.started_at),
        "finished_at": iso(attempt.finished_at),
        "cpu_seconds": attempt.cpu_seconds,
        "peak_rss_bytes": attempt.peak_rss_bytes,
        "error": attempt.error,
    }
