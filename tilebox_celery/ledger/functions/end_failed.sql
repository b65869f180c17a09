-- end_failed: RUNNING -> FAILED, which cancels the job; or, below an optional task, RUNNING -> FAILED_OPTIONAL, with
-- QUEUED -> SKIPPED for whatever else waits in that task's subtree. The caller holds the tasks, and alone the guards
-- of jobs with optional tasks. Gives what became runnable, and what to count beside the end of the attempts.
-- Locks: jobs by id, waiting tasks below the optional ones, then as settle, limits.
create or replace function tbx.end_failed(p_now timestamptz, p_failed tbx.finished[])
returns tbx.outcome language plpgsql as $$
declare
    v_outcome tbx.outcome := row('{}'::tbx.runnable[], '{}'::tbx.tally[]);
    v_settled tbx.finished[] := '{}';
    v_root record;
    v_job bigint;
    v_jobs bigint[]; v_groups bigint[]; v_depths int[]; v_counts int[];
begin
    perform set_config('synchronous_commit', 'on', true);  -- a failure ends the job: durable
    update tbx.tasks t set claim_id = null, slot_id = null,
        state = case when f.optional_id is not null then 'FAILED_OPTIONAL' else 'FAILED' end::tbx.task_state
    from unnest(p_failed) f where t.job_id = f.job_id and t.id = f.id;
    for v_job in select distinct f.job_id from unnest(p_failed) f where f.optional_id is null order by 1 loop
        update tbx.jobs j set canceled_at = p_now, cancel_reason = 'failure', parking = true
        where j.id = v_job and j.canceled_at is null;
    end loop;
    for v_root in
        select distinct f.job_id, f.optional_id as id from unnest(p_failed) f where f.optional_id <> f.id order by 1, 2
    loop
        v_settled := v_settled || tbx.skip_subtree(v_root.job_id, v_root.id);
    end loop;
    v_outcome.tallies := array(
        select (f.job_id, 0, 0, (f.optional_id is null)::int, (f.optional_id is not null)::int, 0, 0, 0, 0)::tbx.tally
        from unnest(p_failed) f
        union all select (s.job_id, -1, 0, 0, 0, 1, 0, 0, 0)::tbx.tally from unnest(v_settled) s
    );
    v_settled := v_settled || array(select f from unnest(p_failed) f where f.optional_id is not null);
    select array_agg(x.job_id), array_agg(x.group_id), array_agg(x.depth), array_agg(x.n) into v_jobs, v_groups, v_depths, v_counts
    from (select s.job_id, s.group_id, s.depth, count(*)::int as n from unnest(v_settled) s group by 1, 2, 3) x;
    if v_jobs is not null then
        v_outcome.runnable := tbx.settle(p_now, v_jobs, v_groups, v_depths, v_counts);
    end if;
    v_outcome.runnable := tbx.leave_limits(
        v_outcome.runnable, v_settled || array(select f from unnest(p_failed) f where f.optional_id is null));
    return v_outcome;
end $$;
