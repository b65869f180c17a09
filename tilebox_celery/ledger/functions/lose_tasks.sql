-- lose_tasks: RUNNING -> QUEUED for what slots held whose processes are gone, or silent for a whole lease. The task
-- that was running (p_task; null: unknown, so all of them) is charged a crash and waits 0, 1, 2, 4 ... 30 s; its batch
-- mates go back free. More than 10 crashes: RUNNING -> FAILED or FAILED_OPTIONAL. The caller holds the slots' guards.
-- Locks: tasks by (job, id); guards of jobs with optional tasks, alone; canceled jobs, shared; then as end_failed;
-- clusters; counts; idle slots.
create or replace function tbx.lose_tasks(p_slots bigint[], p_job bigint, p_task bigint, p_reason text)
returns setof tbx.step language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_canceled bigint[];
    v_failed tbx.finished[];
    v_runnable tbx.runnable[];
    v_tallies tbx.tally[];
    v_outcome tbx.outcome;
begin
    perform tbx.guard_jobs(array(
        select case when t.optional_id is not null then t.job_id end from tbx.tasks t
        where t.slot_id = any (p_slots) and t.state = 'RUNNING' order by t.job_id, t.id for update), true);
    v_canceled := tbx.canceled_jobs(array(
        select distinct t.job_id from tbx.tasks t where t.slot_id = any (p_slots) and t.state = 'RUNNING'));
    with held as (
        select t.*, s.runner_id, x.charged, x.charged and t.crashes >= 10 as spent,
            case when x.charged and t.crashes > 0 then least(30, power(2, t.crashes - 1)) * interval '1 second' end as wait,
            t.job_id = any (v_canceled) as parked
        from tbx.tasks t join tbx.slots s on s.id = t.slot_id
        cross join lateral (select p_task is null or (t.job_id = p_job and t.id = p_task) as charged) x
        where t.slot_id = any (p_slots) and t.state = 'RUNNING'
    ), journal as (
        insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, finished_at, outcome, error)
        select h.job_id, h.id, h.attempt, h.claim_id, h.runner_id, h.slot_id, h.claimed_at, v_now,
            case when h.charged then 'lost' else 'given_back' end, p_reason
        from held h
    ), back as (
        update tbx.tasks t set state = 'QUEUED', claim_id = null, slot_id = null, crashes = t.crashes + h.charged::int,
            run_after = v_now + h.wait,
            phase = case when h.parked then 'p' when h.wait is not null then 'd' else 'r' end::"char"
        from held h where t.job_id = h.job_id and t.id = h.id and not h.spent
    )
    select array_agg((0, h.job_id, h.id, h.group_id, h.depth, h.optional_id, h.limit_id)::tbx.finished order by h.job_id, h.id)
            filter (where h.spent),
        array_agg((h.job_id, h.route_id, 1)::tbx.runnable) filter (where not h.spent and not h.parked and h.wait is null),
        array_agg((h.job_id, (not h.spent)::int, -1, 0, 0, 0, h.charged::int, 0, 0)::tbx.tally)
    into v_failed, v_runnable, v_tallies from held h;
    if v_failed is not null then
        v_outcome := tbx.end_failed(v_now, v_failed);
        v_runnable := v_runnable || v_outcome.runnable;
        v_tallies := v_tallies || v_outcome.tallies;
    end if;
    if v_tallies is not null then
        return query select * from tbx.publish(v_runnable, p_slots[1], v_tallies);
    end if;
end $$;
