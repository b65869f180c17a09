"""Wrong ledgers, each wrong in one place: a test that lets one of them pass proves nothing."""

from typing import NamedTuple

from tilebox_celery.postgres.connection import Connection
from tilebox_celery.postgres.migrate import Schema

FUNCTIONS = {
    name: source.replace("set_config('synchronous_commit', 'on', true)", "true")
    for name, source in Schema("tilebox_celery.ledger", "ledger").functions
}
"""The functions without waiting for the disk: random tests end thousands of jobs."""


class Mutant(NamedTuple):
    """One function with one text replaced."""

    function: str
    text: str
    replacement: str
    wrong: str
    """What it does wrong."""

    def __str__(self) -> str:
        return f"{self.function}: {self.wrong}"


def install(connection: Connection, *mutants: Mutant) -> None:
    """Install all functions, some of them with another text.

    Raises:
        ValueError: The text does not occur (any more).
    """
    for source in mutate(*mutants).values():
        connection.execute(source.encode(), prepare=False)


def mutate(*mutants: Mutant) -> dict[str, str]:
    """Return the source of every function, some of them with another text."""
    sources = dict(FUNCTIONS)
    for mutant in mutants:
        if mutant.text not in sources[mutant.function]:
            raise ValueError(f"{mutant.function}.sql does not contain {mutant.text!r}: write the mutant anew.")
        sources[mutant.function] = sources[mutant.function].replace(mutant.text, mutant.replacement)
    return sources


MUTANTS = (
    Mutant("advance", " and t.claim_id = p_claim", "", "a zombie finishes a task that another slot runs"),
    Mutant("fail", " and t.claim_id = p_claim", "", "a zombie fails a task that another slot runs"),
    Mutant(
        "give_back", "(p_claim is null or t.claim_id = p_claim)", "true", "a zombie gives back another claim's task"
    ),
    Mutant(
        "finish", "left join unnest(p_done) d", "join unnest(p_done) d", "subtasks of a stale parent go to another one"
    ),
    Mutant("insert_family", "where p_jobs[g.parent] is not null;", ";", "groups of a stale parent are stored"),
    Mutant("settle", "or h.open = 0", "or h.open >= 0", "a parent is settled with the first of its groups"),
    Mutant("settle_one", "exit when v_open > 0;", "", "a parent is settled with the first of its groups, one by one"),
    Mutant("settle_one", "v_count := 1;", "", "a group loses as many tasks as the one below it had"),
    Mutant("unblock", "where l.blocked_by = 0", "where l.blocked_by <= 1", "a task starts before its last dependency"),
    Mutant("unblock_after", "continue when v_group.blocked_by > 0;", "", "a task starts after its first dependency"),
    Mutant(
        "unblock_after", "when v_parked then 'p'", "when false then 'p'", "a canceled job's task is unblocked as ready"
    ),
    Mutant("closed", "when q.job_id = any (v_canceled) then 'p'", "", "subtasks in a canceled job are ready"),
    Mutant("skip_subtree", "t.parent_id = b.id", "false", "only direct subtasks are skipped"),
    Mutant("end_failed", "where f.optional_id <> f.id", "where false", "nothing is skipped beside a failed task"),
    Mutant("end_failed", "set canceled_at = p_now", "set name = 'x'", "a failure does not cancel the job"),
    Mutant("fail", "h.retries < h.max_retries and", "h.retries <= h.max_retries and", "a task gets one retry too many"),
    Mutant("fail", " and not h.job_id = any (v_canceled)", "", "a task of a canceled job is retried"),
    Mutant("lose_tasks", "t.crashes >= 10", "t.crashes > 10", "a task may kill twelve processes"),
    Mutant("lose_tasks", "power(2, t.crashes - 1)", "power(2, t.crashes)", "a killed task waits twice as long"),
    Mutant("lose_tasks", "p_task is null or", "p_task is null and", "a crash is charged to nobody"),
    Mutant(
        "give_back", "attempt = t.attempt - (p_reason is null)::int,", "", "what was never started counts as an attempt"
    ),
    Mutant("claim", "continue when v_job.canceled_at is not null;", "", "tasks of a canceled job are claimed"),
    Mutant("claim", "or v_slot.state = 'gone'", "", "a lost slot claims again"),
    Mutant(
        "claim_of_job", "order by t.id limit v_want for", "order by t.id desc limit v_want for", "last in, first out"
    ),
    Mutant(
        "leave_limits",
        "set active = l.active - x.n",
        "set active = l.active",
        "a place under a limit is never free again",
    ),
    Mutant(
        "leave_limits",
        "where l.job_id = x.job_id and l.id = x.limit_id",
        "where false",
        "ended tasks keep their places",
    ),
    Mutant("promote", "order by t.id limit", "order by t.id desc limit", "the youngest held task goes first"),
    Mutant("promote", "set active = active +", "set active = 0 *", "a limit lets everything through"),
    Mutant("retry", "then 0 else t.crashes end", "then t.crashes else t.crashes end", "a retry keeps the crashes"),
    Mutant("retry", "or t.phase = 'p'", "", "a retry leaves parked tasks behind"),
    Mutant(
        "retry", "cancel_reason = null, parking = false", "parking = false", "a retry keeps why the job was canceled"
    ),
    Mutant("sweep", "t.run_after <= v_now", "t.run_after is not null", "a wait is over with the next sweep"),
    Mutant("sweep", "l.until < v_now order", "l.until < v_now - interval '1 h' order", "no lease ever ends"),
    Mutant(
        "sweep", "j.canceled_at < v_now - interval '5 seconds'", "true", "parking ends while calls may be under way"
    ),
    Mutant("heartbeat", "until = tbx.now() + p_lease", "until = l.until", "a heartbeat renews nothing"),
    Mutant(
        "register_runner", "r.minor <= k.minor", "r.minor::text <= k.minor::text", "v1.10 counts as older than v1.2"
    ),
    Mutant(
        "ensure_routes",
        "k.minor >= p_minors[i]",
        "k.minor > p_minors[i]",
        "a new route misses the runner of that version",
    ),
    Mutant("ensure_routes", "n.cluster_id = v_cluster and", "", "a runner takes tasks of another cluster"),
    Mutant("prune", "j.finished_at < p_before", "j.finished_at is not null", "young jobs are pruned"),
    Mutant("submit", "on conflict (uuid) do nothing", "", "a repeated submission is an error"),
)

SELDOM_MET = (
    Mutant(
        "closed", "where o.skip_subtree", "where false", "subtasks below a failed optional task are stored as ready"
    ),
    Mutant(
        "closed", "where p.optional_id is not null\n", "where false\n", "only the nearest optional task is looked at"
    ),
)
"""Optional tasks in optional ones, of which the outer fails while something runs in the inner: too rare for luck."""
