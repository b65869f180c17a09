-- The job graph and everything that happens to it.
--
-- Keys: a task is (job_id, id). Its id is milliseconds since epoch << 20 plus a counter, so it is unique within its
-- job, sorted by time, and its public UUID is computed from the two numbers (tilebox_celery/model/ids.py).
-- phase says where a QUEUED task waits: b blocked by dependencies, h held by a limit, d delayed until run_after,
-- p parked since its job is canceled, r ready to be claimed; - for every other state.

create type tbx.task_state as enum ('QUEUED', 'RUNNING', 'COMPUTED', 'FAILED', 'FAILED_OPTIONAL', 'SKIPPED');

create table tbx.clusters (
    id           int generated always as identity primary key,
    slug         text not null unique,
    display_name text not null,
    description  text not null default '',
    is_default   boolean not null default false,
    created_at   timestamptz not null default tbx.now(),
    deleted_at   timestamptz
);

-- One row for each cluster, identifier and version that was ever submitted.
create table tbx.routes (
    id         int generated always as identity primary key,
    cluster_id int not null references tbx.clusters,
    name       text not null,
    major      int not null,
    minor      int not null,
    unique (cluster_id, name, major, minor)
);

create table tbx.runners (
    id              bigint generated always as identity primary key,
    cluster_id      int not null references tbx.clusters,
    name            text not null,
    host            text not null,
    pid             int not null,
    code_version    text not null,
    schema_version  int not null default 1,  -- below tbx.meta's ledger.minimum it claims nothing
    state           text not null default 'live' check (state in ('live', 'draining', 'gone')),
    wake_by         text not null check (wake_by in ('notify', 'broker', 'none')),
    broker_until    timestamptz,            -- wake-ups by message until then, since NOTIFY seemed not to arrive
    routes          int[] not null default '{}',  -- routes that it can take; kept by ensure_routes and register_runner
    slot_count      int not null,
    started_at      timestamptz not null default tbx.now(),
    seen_at         timestamptz not null default tbx.now(),
    gone_at         timestamptz
);
-- Ledgers may share a broker, whose queues have the numbers of runners: each ledger begins somewhere else.
select setval('tbx.runners_id_seq', 1 + floor(random() * power(2, 44))::bigint);
create index runners_live on tbx.runners (cluster_id) where state <> 'gone';

create table tbx.runner_tasks (
    runner_id bigint not null references tbx.runners on delete cascade,
    name      text not null,
    major     int not null,
    minor     int not null,
    primary key (runner_id, name, major)
);
create index runner_tasks_name on tbx.runner_tasks (name);

create table tbx.slots (
    id          bigint generated always as identity primary key,
    runner_id   bigint not null references tbx.runners on delete cascade,
    cluster_id  int not null,
    no          int not null,
    pid         int not null,
    state       text not null default 'busy' check (state in ('idle', 'woken', 'busy', 'gone')),
    woken_at    timestamptz
) with (fillfactor = 50);
create index slots_idle on tbx.slots (cluster_id) where state = 'idle';
create index slots_woken on tbx.slots (woken_at) where state = 'woken';
create index slots_live on tbx.slots (runner_id) where state <> 'gone';

-- Of every slot that is not gone. Apart from the slots, so that a heartbeat never locks one that somebody wants to wake.
create table tbx.leases (
    slot_id bigint primary key references tbx.slots on delete cascade,
    until   timestamptz not null
) with (fillfactor = 30);

create table tbx.jobs (
    id            bigint generated always as identity primary key,
    uuid          uuid not null unique,
    name          text not null,
    trace_parent  text not null,
    submitted_at  timestamptz not null,
    started_at    timestamptz,
    finished_at   timestamptz,               -- everything settled
    canceled_at   timestamptz,
    cancel_reason text check (cancel_reason in ('user', 'failure')),
    parking       boolean not null default false,  -- the sweep still looks for ready tasks to park
    canvas        jsonb                      -- shape of a submitted Celery canvas, to give it back
) with (fillfactor = 80);
create index jobs_parking on tbx.jobs (id) where parking;
create index jobs_finished on tbx.jobs (finished_at) where finished_at is not null;
create index jobs_submitted on tbx.jobs (submitted_at, id);

-- Counts of one job by state, in rows of several writers: the sum over the shards is the truth.
create table tbx.job_counts (
    job_id bigint not null, shard smallint not null,
    queued int not null default 0, running int not null default 0, computed int not null default 0,
    failed int not null default 0, failed_optional int not null default 0, skipped int not null default 0,
    attempts int not null default 0, run_us bigint not null default 0, cpu_us bigint not null default 0,
    primary key (job_id, shard)
) with (fillfactor = 50);

create table tbx.job_limits (
    job_id bigint not null,
    id     bigint generated always as identity,
    key    text not null,
    max_running int not null check (max_running > 0),
    active int not null default 0,           -- tasks under this key that are ready or running
    primary key (job_id, id),
    unique (job_id, key)
) with (fillfactor = 50);

-- Siblings with equal dependencies and dependents. open counts tasks whose subtree is not settled.
create table tbx.task_groups (
    job_id          bigint not null,
    id              bigint not null,
    depth           int not null,
    parent_id       bigint,                  -- task whose execution submitted it; null: submitted with the job
    parent_group_id bigint,
    family_size     int not null,            -- groups of the same parent
    open            int not null,
    blocked_by      int not null,            -- dependency groups that are not settled
    has_dependents  boolean not null,
    first_task      bigint not null,
    last_task       bigint not null,
    primary key (job_id, id),
    check (open >= 0 and blocked_by >= 0)
) with (fillfactor = 60);

create table tbx.group_edges (
    job_id bigint not null, from_id bigint not null, to_id bigint not null,
    primary key (job_id, from_id, to_id)
);

-- Only for parents with several groups: how many of them are not settled. parent_id 0 is the job itself.
create table tbx.families (
    job_id bigint not null, parent_id bigint not null, open int not null check (open >= 0),
    primary key (job_id, parent_id)
) with (fillfactor = 60);

create sequence tbx.group_id;
create sequence tbx.task_block;

create table tbx.tasks (
    job_id      bigint not null,
    id          bigint not null,
    group_id    bigint not null,
    parent_id   bigint,
    optional_id bigint,                      -- the nearest optional task at or above this one
    limit_id    bigint,
    claimed_at  timestamptz,
    run_after   timestamptz,
    slot_id     bigint,
    claim_id    uuid,                        -- the fence: drawn by the runner for each claim
    route_id    int not null,
    depth       int not null,
    state       tbx.task_state not null default 'QUEUED',
    attempt     int not null default 0,
    max_retries int not null default 0,
    retries     int not null default 0,
    crashes     int not null default 0,
    phase       "char" not null,
    optional    boolean not null default false,
    skip_subtree boolean not null default false,  -- an optional root whose subtree failed
    input       bytea not null,
    display     text,
    primary key (job_id, id),
    check ((state = 'QUEUED') = (phase <> '-')),
    check ((state = 'RUNNING') = (claim_id is not null and slot_id is not null))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1);
create index tasks_ready on tbx.tasks (route_id, job_id, id) where phase = 'r';
create index tasks_running on tbx.tasks (slot_id) where state = 'RUNNING';
create index tasks_delayed on tbx.tasks (run_after) where phase = 'd';
create index tasks_in_optional on tbx.tasks (job_id, parent_id) where optional_id is not null;
create index tasks_held on tbx.tasks (job_id, limit_id, id) where phase = 'h';

create table tbx.task_results (
    job_id bigint not null, task_id bigint not null, result bytea not null,
    primary key (job_id, task_id)
);

create table tbx.task_progress (
    job_id bigint not null, task_id bigint not null, label text not null,
    total bigint not null, done bigint not null,
    primary key (job_id, task_id, label)
);

-- One row for each attempt that ended, never changed: what audit, waterfall and usage read.
create table tbx.attempts (
    job_id bigint not null, task_id bigint not null, attempt int not null,
    claim_id uuid not null, runner_id bigint not null, slot_id bigint not null,
    claimed_at timestamptz not null, started_at timestamptz, finished_at timestamptz not null,
    outcome text not null check (outcome in ('computed', 'failed', 'lost', 'given_back')),
    cpu_us bigint, peak_rss bigint, error text
);
create index attempts_task on tbx.attempts (job_id, task_id);

-- What people did to a job.
create table tbx.actions (
    job_id bigint not null, at timestamptz not null, actor text not null, action text not null, detail text
);
create index actions_job on tbx.actions (job_id);

-- One row of an answer. kind: t a claimed task; j the job of claimed tasks; w a wake-up that the caller publishes
-- to queue tbx.<runner>; s a stale task, whose attempt is no longer current; a again: somebody is publishing, claim
-- a little later; i the slot is idle now; d the runner drains; g the slot or runner is gone: register again.
create type tbx.step as (
    kind "char", job_id bigint, task_id bigint, parent_id bigint, route_id int, attempt int, crashes int,
    retries int, claimed_at timestamptz, input bytea, label text, uuid uuid
);

-- Siblings on their way into the ledger: the submissions of one call, flattened. Group numbers count from 1.
create type tbx.family as (
    group_parent int[],      -- per group: position of the parent among the parents of the call
    group_open int[], group_blocked int[], group_dependents boolean[], group_first int[], group_last int[],
    family_size int[],       -- per group: groups of the same parent
    edge_from int[], edge_to int[],
    task_group int[], task_route int[], task_input bytea[],
    task_display text[], task_max_retries int[], task_optional boolean[],   -- null: the default for all
    task_limit_key text[], task_limit int[]
);

-- What a call made runnable, for counts and wake-ups: one entry for each route of each job.
create type tbx.runnable as (job_id bigint, route_id int, n int);

-- What a call adds to the counts of a job.
create type tbx.count_delta as (
    job_id bigint, queued int, running int, computed int, skipped int, attempts int, run_us bigint, cpu_us bigint
);

-- What follows from finished tasks: what became runnable, and what to count.
create type tbx.consequence as (runnable tbx.runnable[], counts tbx.count_delta[]);

-- The same for calls that are no claims, with every column of the counts; and what follows from failed tasks.
create type tbx.tally as (
    job_id bigint, queued int, running int, failed int, failed_optional int, skipped int, attempts int, run_us bigint, cpu_us bigint
);
create type tbx.outcome as (runnable tbx.runnable[], tallies tbx.tally[]);

-- A task that this call moved out of RUNNING; n is its position in the call.
create type tbx.finished as (
    n int, job_id bigint, id bigint, group_id bigint, depth int, optional_id bigint, limit_id bigint
);

-- Runner ids name queues and channels: two ledgers that share a broker must not share the names.
do $$ begin
    execute format('alter table tbx.runners alter column id restart with %s', 1 + (random() * 1e9)::bigint * 1000000);
end $$;
