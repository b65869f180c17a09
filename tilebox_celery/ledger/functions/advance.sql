-- advance: RUNNING -> COMPUTED for a batch, subtasks in, dependents unblocked, and the next claim of the same slot
-- (p_want 0: none). One call, one transaction. A task whose claim is not current any more is left as it is and comes
-- back as kind s. Times are microseconds after the claim. Locks: tasks, then as settle, then as claim.
create or replace function tbx.advance(
    p_slot bigint, p_claim uuid, p_jobs bigint[], p_tasks bigint[], p_start_us bigint[], p_run_us bigint[],
    p_cpu_us bigint[], p_rss bigint[], p_displays text[], p_results bytea[], p_has_subtasks boolean[], p_family tbx.family,
    p_next_claim uuid, p_cursor bigint, p_want int, p_share int, p_cap_routes int[], p_caps int[]
) returns setof tbx.step language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_done tbx.finished[];
    v_runnable tbx.runnable[] := '{}';
    v_stale boolean := false;
begin
    with fin as (
        update tbx.tasks t
        set state = 'COMPUTED', claim_id = null, slot_id = null, display = coalesce(left(p_displays[x.n], 1024), t.display)
        from unnest(p_jobs, p_tasks) with ordinality x(job_id, id, n)
        where t.job_id = x.job_id and t.id = x.id and t.claim_id = p_claim and t.state = 'RUNNING'
        returning x.n, t.job_id, t.id, t.group_id, t.depth, t.optional_id, t.limit_id, t.attempt, t.claimed_at
    ), journal as (
        insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, started_at,
            finished_at, outcome, cpu_us, peak_rss)
        select f.job_id, f.id, f.attempt, p_claim, s.runner_id, p_slot, f.claimed_at,
            f.claimed_at + p_start_us[f.n] * interval '1 microsecond',
            f.claimed_at + (p_start_us[f.n] + p_run_us[f.n]) * interval '1 microsecond',
            'computed', p_cpu_us[f.n], p_rss[f.n]
        from fin f cross join tbx.slots s where s.id = p_slot
    )
    select array_agg((f.n, f.job_id, f.id, f.group_id, f.depth, f.optional_id, f.limit_id)::tbx.finished order by f.n)
    into v_done from fin f;
    if coalesce(cardinality(v_done), 0) < cardinality(p_tasks) then
        v_stale := true;
        return query
        select 's'::"char", x.job_id, x.id, null::bigint, null::int, null::int, null::int, null::int, null::timestamptz,
            null::bytea, null::text, null::uuid
        from unnest(p_jobs, p_tasks) with ordinality x(job_id, id, n)
        where x.n not in (select d.n from unnest(v_done) d);
    end if;
    if v_done is not null then
        v_runnable := tbx.finish(v_now, v_done, p_run_us, p_cpu_us, p_results, p_has_subtasks, p_family, v_stale, p_slot);
    end if;
    return query select * from tbx.claim_and_count(
        p_slot, null, p_next_claim, p_cursor, p_want, p_share, p_cap_routes, p_caps, v_runnable);
end $$;
