"""What is removed when a job is old, and how tasks are numbered."""

from datetime import timedelta

import pytest
from ledger_driver import LedgerDriver, ids
from reference import Spec

from tilebox_celery.testing import DatabaseClock

OF_JOBS = (
    "tasks", "task_groups", "group_edges", "families", "attempts", "task_results", "task_progress", "job_counts",
    "job_limits", "actions", "jobs",
)  # fmt: skip
PRUNE = "select tbx.prune(tbx.now() - %s, %s)"


def finished_job(ledger: LedgerDriver, slot: int) -> int:
    """Run a job that leaves a row in every table."""
    job = ledger.submit([Spec(), Spec(depends_on=(0,), limit=("disk", 1))])
    claim, tasks = ledger.claim(slot)
    ledger.rows("select tbx.report_progress(%s, %s, %s, '{a}', '{2}', '{1}')", claim, *ids(tasks)[0])
    ledger.advance(slot, claim, [(ids(tasks)[0], [Spec(), Spec(depends_on=(0,))])])
    while tasks := ledger.claim(slot)[1]:
        (claim,) = ledger.rows("select claim_id from tbx.tasks where state = 'RUNNING'")[0]
        ledger.advance(slot, claim.hex, [(task, []) for task in ids(tasks)])
    ledger.connection.execute("insert into tbx.task_results values (%s, 1, '1')", (job,))
    return job


def test_prune_removes_everything_of_a_job(ledger: LedgerDriver, ledger_url: str) -> None:
    """Nothing of an old job is left in any table, and everything of a young one."""
    time = DatabaseClock(ledger_url)
    slot = ledger.slot(ledger.runner())
    old = finished_job(ledger, slot)
    time.advance(timedelta(days=2))
    young = finished_job(ledger, slot)
    counts = {table: ledger.value(f"select count(*) from tbx.{table}") for table in OF_JOBS}

    pruned = ledger.rows(PRUNE, timedelta(days=1), 10)

    assert len(pruned) == 1
    for table in OF_JOBS:
        key = "id" if table == "jobs" else "job_id"
        assert ledger.rows(f"select distinct {key} from tbx.{table}") == [(young,)], table
        assert ledger.value(f"select count(*) from tbx.{table}") == counts[table] / 2
    assert old != young


def test_prune_leaves_what_is_not_over(ledger: LedgerDriver, ledger_url: str) -> None:
    """Jobs that run, wait, have failed or are canceled stay, however old they are."""
    time = DatabaseClock(ledger_url)
    slot = ledger.slot(ledger.runner())
    waiting, running, failed, canceled = (ledger.submit([Spec()]) for _ in range(4))
    ledger.cancel(canceled)
    claim, tasks = ledger.claim(slot, 3)
    ledger.fail(slot, claim, [(task, 0.0, True) for task in ids(tasks) if task[0] == failed])
    time.advance(timedelta(days=1000))

    pruned = ledger.rows(PRUNE, timedelta(0), 10)

    assert pruned == []
    assert ledger.rows("select id from tbx.jobs order by id") == [
        (job,) for job in (waiting, running, failed, canceled)
    ]


def test_prune_goes_in_batches(ledger: LedgerDriver) -> None:
    """Each call removes at most as many jobs as it is told, the oldest first."""
    slot = ledger.slot(ledger.runner())
    jobs = [finished_job(ledger, slot) for _ in range(3)]

    sizes = [len(ledger.rows(PRUNE, timedelta(0), 2))]
    left = ledger.rows("select id from tbx.jobs")
    sizes += [len(ledger.rows(PRUNE, timedelta(0), 2)) for _ in range(2)]

    assert sizes == [2, 1, 0]
    assert left == [(jobs[2],)]


def test_prune_takes_few_large_jobs_at_once(ledger: LedgerDriver) -> None:
    """Jobs of 15,000 tasks go two at a time, one of a million goes alone, and jobs without a count go too."""
    slot = ledger.slot(ledger.runner())
    jobs = [finished_job(ledger, slot) for _ in range(6)]
    for job, tasks in zip(jobs, (15_000, 15_000, 15_000, 1_000_000, 1, 1), strict=True):
        ledger.rows("update tbx.job_counts set computed = %s where job_id = %s and shard = 0 returning 1", tasks, job)
    ledger.rows("delete from tbx.job_counts where job_id = %s returning 1", jobs[5])

    sizes = []
    while not sizes or sizes[-1]:
        sizes.append(len(ledger.rows(PRUNE, timedelta(0), 50)))

    assert sizes == [2, 2, 2, 0]


@pytest.mark.clause("1.6-9")
@pytest.mark.parametrize("count", [1, 256, 257, 5000])
def test_ids_grow_within_a_call(ledger: LedgerDriver, count: int) -> None:
    """Siblings are numbered in the order in which they were submitted, from the time of their submission on."""
    before = ledger.value("select (extract(epoch from tbx.now()) * 1000)::bigint")
    ledger.submit([Spec(max_retries=n) for n in range(count)])
    after = ledger.value("select (extract(epoch from tbx.now()) * 1000)::bigint")

    rows = ledger.rows("select id, max_retries from tbx.tasks order by id")

    assert [retries for _, retries in rows] == list(range(count))
    assert before <= rows[0][0] >> 20 <= after
    assert rows[-1][0] >> 20 <= after + 5


def test_ids_of_many_calls_differ(ledger: LedgerDriver, ledger_url: str) -> None:
    """Calls within one millisecond get different numbers, also when the blocks of numbers start again."""
    DatabaseClock(ledger_url, stopped=True)
    ledger.connection.execute("select setval('tbx.task_block', 4090)")

    for _ in range(20):
        ledger.submit([Spec()] * 300)

    assert ledger.value("select count(distinct id) from tbx.tasks") == 6000


def test_progress_belongs_to_the_current_attempt(ledger: LedgerDriver) -> None:
    """The last attempt's bars count; an attempt that is over cannot move them."""
    report = "select tbx.report_progress(%s, %s, %s, %s, %s, %s)"
    job = ledger.submit([Spec(max_retries=1)])
    slot = ledger.slot(ledger.runner())
    first, tasks = ledger.claim(slot)
    (task,) = ids(tasks)

    accepted = [ledger.value(report, first, *task, ["a", "b"], [2, 5], [1, 5])]
    ledger.fail(slot, first, [(task, 0.0, False)])
    second, _ = ledger.claim(slot)
    accepted.append(ledger.value(report, second, *task, ["a"], [2], [2]))
    accepted.append(ledger.value(report, first, *task, ["a"], [9], [9]))

    assert accepted == [True, True, False]
    assert ledger.rows("select job_id, label, total, done from tbx.task_progress") == [(job, "a", 2, 2)]


def test_the_journal_keeps_times_and_costs(ledger: LedgerDriver) -> None:
    """Each attempt is kept with when it started and stopped, what it cost, and who ran it; the counts sum it up."""
    ledger.submit([Spec(), Spec()])
    runner = ledger.runner()
    slot = ledger.slot(runner)
    claim, tasks = ledger.claim(slot)

    ledger.advance(slot, claim, [(ids(tasks)[0], [])])
    ledger.fail(slot, claim, [(ids(tasks)[1], 0.0, True)])

    assert ledger.rows("""
        select outcome, runner_id, slot_id, cpu_us, peak_rss, error, started_at > claimed_at,
            finished_at - started_at = interval '1 ms' from tbx.attempts order by task_id""") == [
        ("computed", runner, slot, 500, 4096, None, True, True),
        ("failed", runner, slot, 500, 4096, "ValueError: no", True, True),
    ]
    sums = ledger.rows("select sum(attempts)::int, sum(run_us)::int, sum(cpu_us)::int from tbx.job_counts")
    assert sums == [(2, 2000, 1000)]
