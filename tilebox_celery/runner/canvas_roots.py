"""Know which tasks stand at which places of a canvas job."""

from array import array

from tilebox_celery.postgres.connection import Connection

ROOTS = b"select id from tbx.tasks where job_id = %s and parent_id is null order by id"
KNOWN_JOBS = 16


class RootTasks:
    """The ids of the tasks of canvas jobs by their position, asked once for each job."""

    def __init__(self) -> None:
        self._known: dict[int, array[int]] = {}

    def of(self, connection: Connection, job_id: int) -> "array[int]":
        """Return the ids of the root tasks of a job in written order."""
        found = self._known.get(job_id)
        if found is None:
            while len(self._known) >= KNOWN_JOBS:
                self._known.pop(next(iter(self._known)), None)
            found = array("q", (task_id for (task_id,) in connection.execute(ROOTS, (job_id,))))
            self._known[job_id] = found
        return found
