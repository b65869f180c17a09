-- advance: RUNNING -> COMPUTED for a batch, subtasks in, dependents unblocked, and the next claim of the same slot
-- (p_want 0: none). One call, one transaction. A task whose claim is not current any more is left as it is and comes
-- back as kind s. Times are microseconds after the claim. A claim and a slot together mean RUNNING; said by state, the
-- planner would look through all running tasks for each of the batch while statistics are young.
-- Locks: the slot's guard, shared (slot_lost waits for it); tasks; then as finish; then as claim_and_count.
create or replace function tbx.advance(
    p_slot bigint, p_claim uuid, p_jobs bigint[], p_tasks bigint[], p_start_us bigint[], p_run_us bigint[],
    p_cpu_us bigint[], p_rss bigint[], p_displays text[], p_results bytea[], p_has_subtasks boolean[], p_family tbx.family,
    p_next_claim uuid, p_cursor bigint, p_want int, p_share int, p_cap_routes int[], p_caps int[]
) returns setof tbx.step language plpgsql as $$
declare
    v_guard boolean := pg_advisory_xact_lock_shared(7415, (p_slot % 2147483647)::int) is null;
    v_now timestamptz := tbx.now();
    v_runner bigint := (select s.runner_id from tbx.slots s where s.id = p_slot);
    v_task tbx.tasks;
    v_done tbx.finished[];
    v_after tbx.consequence;
    v_steps tbx.step[];
    v_stale tbx.step[] := '{}';
begin
    if cardinality(p_tasks) = 1 then  -- a hop of a chain: no set to join
        update tbx.tasks t set state = 'COMPUTED', claim_id = null, slot_id = null,
            display = coalesce(left(p_displays[1], 1024), t.display)
        where t.job_id = p_jobs[1] and t.id = p_tasks[1] and t.claim_id = p_claim and t.slot_id is not null
        returning t.* into v_task;
        if v_task.id is not null then
            insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, started_at,
                finished_at, outcome, cpu_us, peak_rss)
            values (v_task.job_id, v_task.id, v_task.attempt, p_claim, v_runner, p_slot, v_task.claimed_at,
                v_task.claimed_at + p_start_us[1] * interval '1 microsecond',
                v_task.claimed_at + (p_start_us[1] + p_run_us[1]) * interval '1 microsecond',
                'computed', p_cpu_us[1], p_rss[1]);
            v_done := array[(1, v_task.job_id, v_task.id, v_task.group_id, v_task.depth, v_task.optional_id,
                v_task.limit_id)::tbx.finished];
        end if;
    else
        with fin as (
            update tbx.tasks t
            set state = 'COMPUTED', claim_id = null, slot_id = null, display = coalesce(left(p_displays[x.n], 1024), t.display)
            from unnest(p_jobs, p_tasks) with ordinality x(job_id, id, n)
            where t.job_id = x.job_id and t.id = x.id and t.claim_id = p_claim and t.slot_id is not null
            returning x.n, t.job_id, t.id, t.group_id, t.depth, t.optional_id, t.limit_id, t.attempt, t.claimed_at
        ), journal as (
            insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, started_at,
                finished_at, outcome, cpu_us, peak_rss)
            select f.job_id, f.id, f.attempt, p_claim, v_runner, p_slot, f.claimed_at,
                f.claimed_at + p_start_us[f.n] * interval '1 microsecond',
                f.claimed_at + (p_start_us[f.n] + p_run_us[f.n]) * interval '1 microsecond',
                'computed', p_cpu_us[f.n], p_rss[f.n]
            from fin f
        )
        select array_agg((f.n, f.job_id, f.id, f.group_id, f.depth, f.optional_id, f.limit_id)::tbx.finished order by f.n)
        into v_done from fin f;
    end if;
    if coalesce(cardinality(v_done), 0) < cardinality(p_tasks) then
        select array_agg(('s', x.job_id, x.id, null, null, null, null, null, null, null, null, null)::tbx.step) into v_stale
        from unnest(p_jobs, p_tasks) with ordinality x(job_id, id, n)
        where x.n not in (select d.n from unnest(v_done) d);
    end if;
    if v_done is not null then
        v_after := tbx.finish(v_now, v_done, p_run_us, p_cpu_us, p_results, p_has_subtasks, p_family, cardinality(v_stale) > 0);
    end if;
    v_steps := tbx.claim_and_count(
        p_slot, null, p_next_claim, p_cursor, p_want, p_share, p_cap_routes, p_caps, v_after.runnable, v_after.counts);
    return query select * from unnest(v_stale || v_steps);
end $$;
