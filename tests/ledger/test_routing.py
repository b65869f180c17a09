"""Which runner may take which task: cluster, name, major version, and a minor version as a number."""

import pytest
from ledger_driver import LedgerDriver, ids
from reference import Spec


@pytest.mark.clause("1.4-7")
@pytest.mark.parametrize(
    ("submitted", "registered", "takes"),
    [
        ((1, 3), (1, 3), True),
        ((1, 3), (1, 4), True),
        ((1, 3), (1, 2), False),
        ((1, 9), (1, 10), True),
        ((1, 10), (1, 9), False),
        ((1, 100), (1, 99), False),
        ((1, 0), (2, 0), False),
        ((2, 0), (1, 9), False),
        ((0, 0), (0, 0), True),
    ],
    ids=lambda value: f"v{value[0]}.{value[1]}" if isinstance(value, tuple) else str(value),
)
@pytest.mark.parametrize("runner_first", [False, True], ids=["task first", "runner first"])
def test_versions(
    ledger: LedgerDriver, submitted: tuple[int, int], registered: tuple[int, int], takes: bool, runner_first: bool
) -> None:
    """Equal major numbers and a minor number that is not lower, compared as numbers, whoever came first."""
    specs = [Spec(version=submitted)]
    if not runner_first:
        ledger.submit(specs)
    slot = ledger.slot(ledger.runner(takes={("Tile", registered[0]): registered[1]}))
    if runner_first:
        ledger.submit(specs)

    _, tasks = ledger.claim(slot)

    assert bool(tasks) == takes


@pytest.mark.clause("1.4-4")
@pytest.mark.clause("1.4-5")
def test_a_task_waits_for_a_runner_of_its_cluster_and_name(ledger: LedgerDriver) -> None:
    """A task that no runner can take stays queued until one joins that can."""
    job = ledger.submit([Spec(cluster="b", name="Mosaic")])
    wrong = [ledger.slot(ledger.runner("a", {("Mosaic", 1): 0})), ledger.slot(ledger.runner("b", {("Tile", 1): 0}))]

    refused = [ledger.claim(slot)[1] for slot in wrong]
    _, tasks = ledger.claim(ledger.slot(ledger.runner("b", {("Mosaic", 1): 0})))

    assert refused == [[], []]
    assert ids(tasks) == ledger.children(job, None)


@pytest.mark.clause("1.4-8")
def test_the_submitted_version_is_kept(ledger: LedgerDriver) -> None:
    """A task that a newer runner takes is still recorded with the version that it was submitted with."""
    ledger.submit([Spec(version=(1, 2))])
    slot = ledger.slot(ledger.runner(takes={("Tile", 1): 10}))

    _, (task,) = ledger.claim(slot)

    assert ledger.rows("select major, minor from tbx.routes where id = %s", task.route_id) == [(1, 2)]


def test_one_job_in_two_clusters(ledger: LedgerDriver) -> None:
    """Tasks of one job go to the runners of their clusters, and unblock each other across them."""
    job = ledger.submit([Spec(cluster="a"), Spec(cluster="b", depends_on=(0,))])
    first, second = ledger.children(job, None)
    of_a, of_b = ledger.slot(ledger.runner("a")), ledger.slot(ledger.runner("b", wake_by="broker"), busy=False)

    claim, tasks = ledger.claim(of_a)
    early = ledger.claim(of_b)[1]
    answer = ledger.advance(of_a, claim, [(first, [])])

    assert ids(tasks) == [first]
    assert early == []
    assert [wake_up.slot_id for wake_up in answer.wake_ups] == [of_b]
    assert ids(ledger.claim(of_b)[1]) == [second]


def test_routes_are_numbered_once(ledger: LedgerDriver) -> None:
    """The same identifier gets the same number, in the order that was asked for; an unknown cluster gets none."""
    query = "select tbx.ensure_routes(%s, %s, %s, %s)"
    asked = (["a", "b", "nowhere", "a"], ["Tile", "Tile", "Tile", "Tile"], [1, 1, 1, 1], [0, 0, 0, 0])

    first = ledger.value(query, *asked)

    assert first[0] == first[3] != first[1]
    assert first[2] is None
    assert ledger.value(query, *asked) == first


def test_a_job_for_a_deleted_cluster_is_refused(ledger: LedgerDriver) -> None:
    """A client that still knows the route of a cluster that was deleted submits nothing."""
    ledger.submit([Spec(cluster="b")])
    ledger.connection.execute("update tbx.clusters set deleted_at = tbx.now() where slug = 'b'")

    with pytest.raises(Exception, match="a cluster was deleted"):
        ledger.submit([Spec(cluster="b")])

    assert ledger.value("select count(*) from tbx.jobs") == 1
