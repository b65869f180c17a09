"""Submit a Celery canvas as a job, and give its result and its canvas back."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.states import JobState
from tilebox_celery.model.submission import HasSlug, cluster_slug

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tilebox_celery.client.transport import Transport
    from tilebox_celery.model.submission import TaskBatch


def canvas_roots(
    transport: "Transport", signature: Any, cluster: str | HasSlug | None
) -> "tuple[TaskBatch, Mapping[str, Any]]":
    """Return the root tasks of a canvas, and its shape, which is stored beside them.

    Raises:
        CanvasError: It cannot be a job; the message names the place in the canvas.
    """
    from tilebox_celery.dispatch.canvas import check_known, plan_canvas

    plan = plan_canvas(signature)
    batch = plan.batch(None if cluster is None else cluster_slug(cluster), transport.max_input_bytes)
    if plan.unknown:
        check_known(plan, transport.registered_names(plan.unknown))
    return batch, plan.shape


def job_canvas(transport: "Transport", job_id: UUID, app: Any = None) -> Any:
    """Return a job as a Celery Signature.

    Raises:
        NotFoundError: There is no such job.
        CanvasError: Canvas cannot state its graph; the message names the dependency.
    """
    from tilebox_celery.dispatch.canvas import canvas_of

    return canvas_of(transport.job_graph(job_id), app)


def job_result(transport: "Transport", job_id: UUID) -> Any:
    """Return the result of a canvas.

    Raises:
        NotFoundError: There is no such job.
        ArgumentError: It is no canvas, or has not completed.
    """
    from tilebox_celery.dispatch import canvas_json
    from tilebox_celery.dispatch.canvas import result_source
    from tilebox_celery.dispatch.canvas_shape import positions_of, value_of

    state = transport.job_progress(job_id).state
    shape = transport.job_shape(job_id)
    if shape is None:
        raise ArgumentError(
            f"Job {job_id} was not submitted as a canvas: only Celery tasks have results. The job cache is where tasks "
            "of a workflow leave theirs."
        )
    if state is not JobState.COMPLETED:
        hint = {
            JobState.FAILED: "jobs.tasks(job) shows which task failed, and jobs.retry(job) runs it again",
            JobState.CANCELED: "jobs.retry(job) lets it go on",
        }.get(state, "wait for it with jobs.wait(job)")
        raise ArgumentError(f"Job {job_id} has no result, it is {state}: {hint}.")
    source = result_source(shape)
    found = transport.job_results(job_id, set(positions_of(source)))
    return value_of(source, {key: None if data is None else canvas_json.load(data) for key, data in found.items()})
