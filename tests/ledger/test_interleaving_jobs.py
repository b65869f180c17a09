"""Small races of clients with each other and with slots: cancel, retry, submit, and a cluster that is deleted."""

import uuid

import psycopg
from ledger_races import LIMITED, Stage, advancing, is_stale, play, running
from reference import Spec

from tilebox_celery.errors import ArgumentError
from tilebox_celery.ledger.calls import Answer
from tilebox_celery.ledger.control import LedgerControl
from tilebox_celery.ledger.session import CallSession


def test_advance_and_cancel(races: Stage) -> None:
    """Tasks that end while their job is canceled stay ended, and what follows from them is parked."""

    def arrange():
        (slot, claim, tasks), *_ = running(races, [Spec(), Spec(depends_on=(0,)), LIMITED], wake_by="broker")

        def cancel(ledger):
            ledger.cancel(tasks[0][0])
            return ledger.park(tasks[0][0])

        return advancing(slot, claim, tasks, [Spec(), LIMITED], then=5), cancel

    def check(advanced: Answer, parked: int):
        assert not is_stale(advanced)
        if not advanced.tasks:
            job = races.ledger.value("select id from tbx.jobs")
            races.ledger.park(job)
            assert races.ledger.value("select count(*) from tbx.tasks where phase in ('r', 'h', 'd')") == 0

    play(races, arrange, check)


def test_retry_and_a_zombie(races: Stage) -> None:
    """While a failed job is retried, an old attempt of the failed task changes nothing."""

    def arrange():
        (slot, claim, tasks), *_ = running(races, [Spec()])
        races.ledger.fail(slot, claim, [(tasks[0], 0.0, True)])
        return (lambda ledger: ledger.retry(tasks[0][0])), advancing(slot, claim, tasks, [Spec()], then=1)

    def check(count: int, advanced: Answer):
        assert count == 1
        assert len(advanced.stale) == 1
        assert races.ledger.value("select count(*) from tbx.tasks") == 1

    play(races, arrange, check)


def test_retry_and_an_advance_with_subtasks(races: Stage) -> None:
    """Subtasks that arrive in a canceled job while it is retried run like all others."""

    def arrange():
        specs = [Spec(), Spec(), LIMITED, LIMITED, Spec(depends_on=(0,))]
        (slot, claim, tasks), (_, second, _), *_ = running(races, specs[:2], each=1)
        races.ledger.fail(slot, second, [])
        races.ledger.cancel(tasks[0][0])
        races.ledger.park(tasks[0][0])
        return (lambda ledger: ledger.retry(tasks[0][0])), advancing(
            slot, claim, tasks, [*specs[2:4], Spec(depends_on=(0,))]
        )

    def check(count: int, advanced: Answer):
        assert not is_stale(advanced)
        assert races.ledger.value("select count(*) from tbx.tasks where phase = 'p'") == 0

    play(races, arrange, check)


def test_retry_and_park(races: Stage) -> None:
    """Parking that is still under way when the job is retried leaves no task parked."""

    def arrange():
        job = races.ledger.submit([Spec(), LIMITED, LIMITED, Spec(depends_on=(0,))])
        races.ledger.cancel(job)
        return (lambda ledger: ledger.retry(job)), (lambda ledger: ledger.park(job))

    def check(count: int, parked: int):
        assert races.ledger.value("select count(*) from tbx.tasks where phase = 'p'") == 0

    play(races, arrange, check)


def test_two_retries(races: Stage) -> None:
    """A job that is retried twice at once gets its failed tasks back once."""

    def arrange():
        (slot, claim, tasks), *_ = running(races, [Spec(), Spec()])
        races.ledger.fail(slot, claim, [(task, 0.0, True) for task in tasks])
        return (lambda ledger: ledger.retry(tasks[0][0])), (lambda ledger: ledger.retry(tasks[0][0]))

    def check(one: int, other: int):
        assert sorted((one, other)) == [0, 2]

    play(races, arrange, check)


def test_submit_and_cancel(races: Stage) -> None:
    """A cancel during the submission finds no job, or the whole job."""

    def arrange():
        job = uuid.uuid4()

        def cancel(ledger):
            return ledger.rows("select tbx.cancel('test', id), tbx.park(id, 10) from tbx.jobs where uuid = %s", job)

        return (lambda ledger: ledger.submit([Spec(), LIMITED, LIMITED], job)), cancel

    def check(job: int, canceled: list):
        assert canceled in ([], [(True, 3)])

    play(races, arrange, check)


def test_a_job_that_is_submitted_twice_at_once(races: Stage) -> None:
    """A client that repeats a submission whose answer is late gets one job."""

    def arrange():
        job = uuid.uuid4()
        return (lambda ledger: ledger.submit([Spec()], job)), (lambda ledger: ledger.submit([Spec()], job))

    def check(one: int, other: int):
        assert one == other
        assert races.ledger.value("select count(*) from tbx.tasks") == 1

    play(races, arrange, check)


def test_deleting_a_cluster_and_a_submission(races: Stage) -> None:
    """A cluster that is deleted while a job comes in is kept, or the job is refused: none waits in a deleted one."""

    class Borrowed(CallSession):
        """The connection belongs to the race's session, which closes it."""

        def close(self) -> None:
            pass

    def arrange():
        for session in races.sessions:  # now both know the route, and only the submission itself can refuse
            races.ledger.cancel(session.ledger.submit([Spec(cluster="b")]))

        def delete(ledger):
            try:
                LedgerControl(Borrowed("postgresql:///", lambda: ledger.connection)).delete_cluster("b")
            except ArgumentError:
                return False
            return True

        def submit(ledger):
            try:
                return ledger.submit([Spec(cluster="b")])
            except psycopg.Error as error:
                return error.sqlstate

        return submit, delete

    def check(job: int | str | None, deleted: bool):
        assert (job == "TBX01") == deleted
        races.ledger.connection.execute("update tbx.clusters set deleted_at = null")

    play(races, arrange, check)
