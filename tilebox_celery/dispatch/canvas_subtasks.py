"""Take out of a canvas the subtasks whose parents are in it: a Task class submits them by itself when it runs again."""

from tilebox_celery.dispatch.canvas_shape import Group, Leaf, Steps, wire


def leave_to_parents(steps: Steps) -> Steps:
    """Return a canvas without subtasks that a task in it submits; steps that are empty then are left out.

    A subtask alone, which a user took out of the canvas of a job, is a task like any other.

    Example:
        >>> from tilebox_celery.dispatch.canvas_shape import LedgerTask
        >>> from tilebox_celery.model.identifiers import TaskIdentifier
        >>> tree, leaf = TaskIdentifier("Tree", "v1.0"), TaskIdentifier("Leaf", "v1.0")
        >>> parent = Leaf("Tree", ledger_task=LedgerTask(tree, b"", id="7"))
        >>> child = Leaf("Leaf", ledger_task=LedgerTask(leaf, b"", parent="7"))
        >>> [step.task for step in leave_to_parents([parent, Group([[child], [child]]), Leaf("add")])]
        ['Tree', 'add']
    """
    tasks = [leaf.ledger_task for leaf in wire(steps).leaves if leaf.ledger_task is not None]
    present = {task.id for task in tasks if task.id is not None}
    if not any(task.parent in present for task in tasks):
        return steps
    return _without(steps, present)


def _without(steps: Steps, parents: set[str]) -> Steps:
    kept: Steps = []
    for step in steps:
        if isinstance(step, Leaf):
            if step.ledger_task is None or step.ledger_task.parent not in parents:
                kept.append(step)
        elif members := [left for member in step.members if (left := _without(member, parents))]:
            kept.append(Group(members, step.chunks_of, step.chunk_size))
        elif not step.members:
            kept.append(step)
    return kept
