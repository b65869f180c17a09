-- Insert finished jobs, each as W1 leaves it: a root, 156 branches below it, 9,843 leaves below them, an attempt for
-- each task. Parameters: numbers of the first and the last job, routes of root, branch and leaf.
with job as (
    insert into tbx.jobs (uuid, name, trace_parent, submitted_at, started_at, finished_at)
    select gen_random_uuid(), 'of old ' || n, '00-' || md5(n::text) || '-0123456789abcdef-01', at, at,
        at + interval '4 s'
    from (
        select n, tbx.now() - interval '90 days' + n * interval '1 hour' as at
        from generate_series(%(first)s::int, %(last)s::int) n
    ) x
    returning id, submitted_at as at, (extract(epoch from submitted_at) * 1000)::bigint << 20 as base
), action as (
    insert into tbx.actions (job_id, at, actor, action) select id, at, 'somebody@somewhere', 'submit' from job
), counts as (
    insert into tbx.job_counts (job_id, shard, computed, attempts, run_us, cpu_us)
    select id, shard, 5000, 5000, 500000, 400000 from job cross join generate_series(0, 1) shard
), grp as (
    insert into tbx.task_groups (job_id, id, depth, parent_id, parent_group_id, family_size, open, blocked_by,
        has_dependents, first_task, last_task)
    select id, base + g, least(g, 2), case when g = 1 then base when g > 1 then base + g - 1 end,
        case when g > 0 then base + least(g - 1, 1) end, 1, 0, 0, false, base, base
    from job cross join generate_series(0, 157) g
), task as (
    insert into tbx.tasks (job_id, id, group_id, parent_id, route_id, depth, state, phase, attempt, claimed_at, input)
    select id, base + t, base + case when t = 0 then 0 when t < 157 then 1 else 2 + t %% 156 end,
        case when t between 1 and 156 then base when t > 156 then base + 1 + t %% 156 end,
        (%(routes)s::int[])[1 + least(t, 1) + (t / 157 > 0)::int], least(t, 1) + (t / 157 > 0)::int,
        'COMPUTED', '-', 1, at + t * interval '0.4 ms', convert_to(t::text, 'UTF8')
    from job cross join generate_series(0, 9999) t
    returning job_id, id, claimed_at
)
insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, started_at, finished_at,
    outcome, cpu_us, peak_rss)
select job_id, id, 1, gen_random_uuid(), 1, 1, claimed_at, claimed_at, claimed_at + interval '0.1 ms', 'computed', 80,
    70000000
from task
