-- fail: RUNNING -> QUEUED while retries are left (at once, for any runner), else RUNNING -> FAILED or, below an
-- optional task, RUNNING -> FAILED_OPTIONAL. In a canceled job nothing is retried. Stale claims change nothing (kind
-- s). p_delay_us: a wait before the retry (null: none). p_final: no retry, whatever is left.
-- Locks: the slot's guard, shared; tasks by (job, id); guards of jobs with optional tasks, alone; canceled jobs, shared;
-- then as end_failed; clusters; counts; idle slots.
create or replace function tbx.fail(
    p_slot bigint, p_claim uuid, p_jobs bigint[], p_tasks bigint[], p_start_us bigint[], p_run_us bigint[],
    p_cpu_us bigint[], p_rss bigint[], p_displays text[], p_errors text[], p_delay_us bigint[], p_final boolean[]
) returns setof tbx.step language plpgsql as $$
declare
    v_guard boolean := pg_advisory_xact_lock_shared(7415, (p_slot % 2147483647)::int) is null;
    v_now timestamptz := tbx.now();
    v_runner bigint := (select s.runner_id from tbx.slots s where s.id = p_slot);
    v_canceled bigint[];
    v_current bigint[];
    v_failed tbx.finished[];
    v_runnable tbx.runnable[];
    v_tallies tbx.tally[];
    v_outcome tbx.outcome;
begin
    perform tbx.guard_jobs(array(
        select case when t.optional_id is not null then t.job_id end from unnest(p_jobs, p_tasks) x(j, i)
        join tbx.tasks t on t.job_id = x.j and t.id = x.i and t.claim_id = p_claim and t.slot_id is not null
        order by t.job_id, t.id for update of t), true);
    v_canceled := tbx.canceled_jobs(p_jobs);
    with held as (
        select x.n, t.* from unnest(p_jobs, p_tasks) with ordinality x(j, i, n)
        join tbx.tasks t on t.job_id = x.j and t.id = x.i and t.claim_id = p_claim and t.slot_id is not null
    ), judged as (
        select h.*, coalesce(p_delay_us[h.n], 0) > 0 as waits,
            h.retries < h.max_retries and not h.job_id = any (v_canceled) and not coalesce(p_final[h.n], false) as again
        from held h
    ), journal as (
        insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, started_at,
            finished_at, outcome, cpu_us, peak_rss, error)
        select j.job_id, j.id, j.attempt, p_claim, v_runner, p_slot, j.claimed_at,
            j.claimed_at + p_start_us[j.n] * interval '1 microsecond',
            j.claimed_at + (p_start_us[j.n] + p_run_us[j.n]) * interval '1 microsecond',
            'failed', p_cpu_us[j.n], p_rss[j.n], left(p_errors[j.n], 65536)
        from judged j
    ), written as (
        update tbx.tasks t set display = case when j.again then t.display else coalesce(left(p_displays[j.n], 1024), t.display) end,
            state = case when j.again then 'QUEUED' else t.state end, retries = t.retries + j.again::int,
            claim_id = case when j.again then null else t.claim_id end, slot_id = case when j.again then null else t.slot_id end,
            phase = case when not j.again then '-' when j.waits then 'd' else 'r' end::"char",
            run_after = case when j.again and j.waits then v_now + p_delay_us[j.n] * interval '1 microsecond' end
        from judged j where t.job_id = j.job_id and t.id = j.id
    )
    select array_agg(j.n),
        array_agg((j.n, j.job_id, j.id, j.group_id, j.depth, j.optional_id, j.limit_id)::tbx.finished order by j.job_id, j.id)
            filter (where not j.again),
        array_agg((j.job_id, j.route_id, 1)::tbx.runnable) filter (where j.again and not j.waits),
        array_agg((j.job_id, j.again::int, -1, 0, 0, 0, 1, p_run_us[j.n], p_cpu_us[j.n])::tbx.tally)
    into v_current, v_failed, v_runnable, v_tallies from judged j;
    return query
    select 's'::"char", x.j, x.i, null::bigint, null::int, null::int, null::int, null::int, null::timestamptz,
        null::bytea, null::text, null::uuid
    from unnest(p_jobs, p_tasks) with ordinality x(j, i, n) where not x.n = any (coalesce(v_current, '{}'));
    if v_failed is not null then
        v_outcome := tbx.end_failed(v_now, v_failed);
        v_runnable := v_runnable || v_outcome.runnable;
        v_tallies := v_tallies || v_outcome.tallies;
    end if;
    if v_tallies is not null then
        return query select * from tbx.publish(v_runnable, p_slot, v_tallies);
    end if;
end $$;
