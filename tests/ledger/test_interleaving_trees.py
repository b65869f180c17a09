"""Small races inside one tree of tasks: the last children, failures below optional tasks, limits."""

import pytest
from ledger_driver import ids
from ledger_races import LIMITED, Stage, advancing, failing, is_stale, play, running
from reference import Spec

from tilebox_celery.ledger.calls import Answer


@pytest.mark.parametrize("grouped", [True, False], ids=["in one group", "in two groups"])
def test_the_last_two_children_end_at_once(races: Stage, grouped: bool) -> None:
    """When the last two tasks end in two slots, their parent is settled once, and what waits for it starts once."""

    def arrange():
        root = [Spec(), Spec(depends_on=(0,)), Spec(depends_on=(0,))]
        (slot, claim, tasks), *_ = running(races, root)
        children = [Spec(), Spec()] if grouped else [Spec(), Spec(), Spec(depends_on=(0,)), Spec(depends_on=(1,))]
        races.ledger.advance(slot, claim, [(tasks[0], children)])
        if not grouped:
            claim, tasks = races.ledger.claim(slot)
            races.ledger.advance(slot, claim, [(key, []) for key in ids(tasks)])
        ends = []
        for then in (2, 3):
            other = races.ledger.slot(races.ledger.runner(wake_by="broker"))
            claim, found = races.ledger.claim(other, 1)
            ends.append(advancing(other, claim, ids(found), then=then))
        return ends[0], ends[1]

    def check(one: Answer, other: Answer):
        assert len(one.tasks) + len(other.tasks) == 2 - races.ledger.value(
            "select count(*) from tbx.tasks where phase = 'r'"
        )

    play(races, arrange, check)


def test_last_task_and_an_optional_failure(races: Stage) -> None:
    """A task that ends while its sibling fails in an optional subtree: both count, and the job ends."""

    def arrange():
        (slot, claim, tasks), *_ = running(races, [Spec(optional=True), Spec(depends_on=(0,))])
        races.ledger.advance(slot, claim, [(tasks[0], [Spec(), Spec(), LIMITED, LIMITED, Spec(depends_on=(0,))])])
        ends = [(slot, *races.ledger.claim(slot, 1)) for slot in (slot, races.ledger.slot(races.ledger.runner()))]
        (one, claim, tasks), (other, second, others) = ends
        return advancing(one, claim, ids(tasks), then=3), failing(other, second, ids(others))

    play(races, arrange, lambda one, other: None)


@pytest.mark.parametrize("nested", [False, True], ids=["directly", "below another optional task"])
def test_skipped_subtree_and_an_advance_with_subtasks(races: Stage, nested: bool) -> None:
    """Subtasks that arrive below an optional task while it fails are skipped with the others, or never runnable."""

    def arrange():
        (slot, claim, tasks), *_ = running(races, [Spec(optional=True)])
        races.ledger.advance(slot, claim, [(tasks[0], [Spec(optional=nested), Spec(name="Mosaic")])])
        claim, tasks = races.ledger.claim(slot)
        if nested:
            races.ledger.advance(slot, claim, [(ids(tasks)[0], [Spec()])])
            claim, tasks = races.ledger.claim(slot)
        other = races.ledger.slot(races.ledger.runner(takes={("Mosaic", 1): 0}))
        second, others = races.ledger.claim(other)
        subtasks = [Spec(optional=True), Spec(), LIMITED, Spec(depends_on=(0,))]
        return advancing(slot, claim, ids(tasks), subtasks), failing(other, second, ids(others))

    def check(advanced: Answer, failed: Answer):
        assert not is_stale(advanced)
        assert not is_stale(failed)
        assert races.ledger.value("select count(*) from tbx.tasks where state = 'QUEUED'") == 0

    play(races, arrange, check)


def test_skipped_subtree_and_a_claim(races: Stage) -> None:
    """A task below a failing optional task is skipped or claimed, and not both."""

    def arrange():
        (slot, claim, tasks), *_ = running(races, [Spec(optional=True)])
        races.ledger.advance(slot, claim, [(tasks[0], [Spec(), Spec(), Spec(optional=True), LIMITED, LIMITED])])
        claim, tasks = races.ledger.claim(slot, 1)
        other = races.ledger.slot(races.ledger.runner())
        return failing(slot, claim, ids(tasks)), lambda ledger: ledger.claim(other)

    play(races, arrange, lambda one, other: None)


def test_two_failures_below_one_optional_task(races: Stage) -> None:
    """Siblings that fail at once below an optional task skip the rest once."""

    def arrange():
        (slot, claim, tasks), *_ = running(races, [Spec(optional=True)])
        races.ledger.advance(
            slot, claim, [(tasks[0], [Spec(), Spec(), LIMITED, Spec(depends_on=(0,)), Spec(depends_on=(1,))])]
        )
        fails = []
        for taken in (slot, races.ledger.slot(races.ledger.runner())):
            claim, found = races.ledger.claim(taken, 1)
            fails.append(failing(taken, claim, ids(found)))
        return fails[0], fails[1]

    play(races, arrange, lambda one, other: None)


def test_two_failures_in_one_job(races: Stage) -> None:
    """Tasks that fail at once in two slots cancel their jobs once, whatever order the slots hold them in."""

    def arrange():
        claims = running(races, [Spec()] * 4, each=1)
        other_job = running(races, [Spec()] * 4, each=1)
        slot = claims[0][0]
        races.ledger.connection.execute(
            "update tbx.tasks t set slot_id = %s, claim_id = %s where state = 'RUNNING'", (slot, claims[0][1])
        )
        tasks = [claims[n][2][0] for n in range(4)] + [other_job[n][2][0] for n in range(4)]
        return failing(slot, claims[0][1], tasks[::2]), failing(slot, claims[0][1], tasks[::-1][::2])

    play(races, arrange, lambda one, other: None)


def test_limit_that_is_left_and_filled_at_once(races: Stage) -> None:
    """A place under a limit that becomes free while another task comes under the limit is taken, and only once."""

    def arrange():
        specs = [Spec(), LIMITED, LIMITED, Spec(name="Mosaic", limit=LIMITED.limit, depends_on=(0,))]
        (slot, claim, tasks), *_ = running(races, [Spec()])
        races.ledger.advance(slot, claim, [(tasks[0], specs)])
        (one, two) = (slot, races.ledger.slot(races.ledger.runner()))
        ends = []
        for taken in (one, two):
            claim, found = races.ledger.claim(taken, 1)
            ends.append(advancing(taken, claim, ids(found), [LIMITED, Spec(limit=("net", 1))], then=3))
        return ends[0], ends[1]

    play(races, arrange, lambda one, other: None)
