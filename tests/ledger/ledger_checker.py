"""Recompute what the ledger keeps in counters and flags from its rows, and name every row that disagrees."""

from collections import Counter, defaultdict

from psycopg.rows import namedtuple_row

from tilebox_celery.postgres.connection import Connection

TABLES = (
    "tasks",
    "task_groups",
    "group_edges",
    "families",
    "job_counts",
    "job_limits",
    "jobs",
    "attempts",
    "slots",
    "leases",
)
STATES = ("QUEUED", "RUNNING", "COMPUTED", "FAILED", "FAILED_OPTIONAL", "SKIPPED")


def check_ledger(connection: Connection) -> None:
    """Fail with a list of everything that contradicts itself."""
    problems = find_problems(connection)
    assert not problems, "\n".join(problems)


def find_problems(connection: Connection) -> list[str]:
    """Return one line for each row that contradicts others (invariants I1, I3, I4 and I6)."""
    cursor = connection.cursor(row_factory=namedtuple_row)
    rows = {}
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        for table in TABLES:
            rows[table] = cursor.execute(f"select * from tbx.{table}".encode()).fetchall()
    jobs = {job.id: job for job in rows["jobs"]}
    groups = {(group.job_id, group.id): group for group in rows["task_groups"]}
    tasks = {(task.job_id, task.id): task for task in rows["tasks"]}
    below = defaultdict(list)
    members = defaultdict(list)
    for key, group in groups.items():
        below[group.job_id, group.parent_id].append(key)
    for task in tasks.values():
        members[task.job_id, task.group_id].append(task)
    unsettled: dict[tuple[int, int], int] = {}

    def open_tasks(key):
        if key not in unsettled:
            unsettled[key] = sum(not is_settled(task) for task in members[key])
        return unsettled[key]

    def is_settled(task):
        if task.state == "COMPUTED":
            return not any(open_tasks(key) for key in below[task.job_id, task.id])
        return task.state in ("SKIPPED", "FAILED_OPTIONAL")

    problems = []

    def expect(what, found, expected):
        if found != expected:
            problems.append(f"{what}: {found}, recomputed {expected}")

    needs = Counter()
    for edge in rows["group_edges"]:
        needs[edge.job_id, edge.to_id] += open_tasks((edge.job_id, edge.from_id)) > 0
    sources = {(edge.job_id, edge.from_id) for edge in rows["group_edges"]}
    for key, group in groups.items():
        expect(f"group {key} open", group.open, open_tasks(key))
        expect(f"group {key} blocked_by", group.blocked_by, needs[key])
        expect(f"group {key} has_dependents", group.has_dependents, key in sources)
        siblings = below[group.job_id, group.parent_id]
        expect(f"group {key} family_size", group.family_size, len(siblings))
        numbers = [task.id for task in members[key]]
        expect(f"group {key} range", (group.first_task, group.last_task), (min(numbers), max(numbers)))
    families = {(family.job_id, family.parent_id): family.open for family in rows["families"]}
    for (job, parent), siblings in below.items():
        if len(siblings) > 1:
            still_open = sum(open_tasks(key) > 0 for key in siblings)
            expect(f"family {job, parent} open", families.get((job, parent or 0)), still_open)
    for job in jobs.values():
        settled = all(not open_tasks(key) for key in below[job.id, None])
        expect(f"job {job.id} finished", job.finished_at is not None, settled)
        expect(f"job {job.id} canceled and why", job.canceled_at is None, job.cancel_reason is None)
    _check_counts(rows, tasks, expect)
    _check_limits(rows, jobs, tasks, problems, expect)
    slots = {slot.id: slot for slot in rows["slots"]}
    leased = {lease.slot_id for lease in rows["leases"]}
    for slot in slots.values():
        expect(f"slot {slot.id} has a lease", slot.id in leased, slot.state != "gone")
    for key, task in tasks.items():
        group = groups[task.job_id, task.group_id]
        canceled = jobs[task.job_id].canceled_at is not None
        if task.state == "QUEUED":
            expect(f"task {key} blocked", task.phase == "b", group.blocked_by > 0)
            if task.phase == "p" and not canceled:
                problems.append(f"task {key} is parked, and its job is not canceled")
            if canceled and task.phase in "rhd" and not jobs[task.job_id].parking:
                problems.append(f"task {key} of a canceled job is ready, and nobody will park it")
        elif group.blocked_by and task.state != "SKIPPED":
            problems.append(f"task {key} is {task.state}, and its dependencies are open")
        if task.state == "RUNNING" and slots[task.slot_id].state == "gone":
            problems.append(f"task {key} runs on slot {task.slot_id}, which is gone")
    for key, count in Counter((a.job_id, a.task_id) for a in rows["attempts"] if a.outcome == "computed").items():
        expect(f"task {key} computed attempts", (count, tasks[key].state), (1, "COMPUTED"))
    return problems


def _check_counts(rows, tasks, expect):
    found = Counter()
    for row in rows["job_counts"]:
        for state in (*STATES, "attempts"):
            found[row.job_id, state] += getattr(row, state.lower())
    expected = Counter((task.job_id, task.state) for task in tasks.values())
    expected += Counter((a.job_id, "attempts") for a in rows["attempts"] if a.outcome != "given_back")
    for key in found.keys() | expected.keys():
        expect(f"job {key[0]} count of {key[1]}", found[key], expected[key])


def _check_limits(rows, jobs, tasks, problems, expect):
    active = Counter()
    held = Counter()
    for task in tasks.values():
        active[task.job_id, task.limit_id] += task.state == "RUNNING" or task.phase in "rd"
        held[task.job_id, task.limit_id] += task.phase == "h"
    for limit in rows["job_limits"]:
        key = limit.job_id, limit.id
        if jobs[limit.job_id].canceled_at is not None:
            continue  # places are given anew when the job is retried
        expect(f"limit {key} active", limit.active, active[key])
        if active[key] > limit.max_running:
            problems.append(f"limit {key}: {active[key]} of {limit.max_running} are active")
        if held[key] and active[key] < limit.max_running:
            problems.append(f"limit {key}: {held[key]} wait, and {limit.max_running - active[key]} places are free")
