-- give_back: RUNNING -> QUEUED for tasks of one slot that it has claimed and not started (or, at shutdown, that it
-- may not end): no retry and no crash is spent. p_tasks null: all that the slot holds. Stale claims change nothing.
-- Locks: tasks by (job, id), then idle slots.
create or replace function tbx.give_back(p_slot bigint, p_claim uuid, p_jobs bigint[], p_tasks bigint[], p_reason text)
returns setof tbx.step language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_runnable tbx.runnable[];
    v_canceled bigint[];
begin
    v_canceled := tbx.canceled_jobs(coalesce(p_jobs, array(
        select distinct t.job_id from tbx.tasks t where t.slot_id = p_slot and t.state = 'RUNNING')));
    with locked as (
        select t.job_id, t.id, t.attempt, t.claim_id, t.claimed_at from tbx.tasks t
        where t.slot_id = p_slot and t.state = 'RUNNING' and (p_claim is null or t.claim_id = p_claim)
            and (p_tasks is null or (t.job_id, t.id) in (select * from unnest(p_jobs, p_tasks)))
        order by t.job_id, t.id for update
    ), back as (
        update tbx.tasks t
        set state = 'QUEUED', claim_id = null, slot_id = null, attempt = t.attempt - (p_reason is null)::int,
            phase = case when t.job_id = any (v_canceled) then 'p' else 'r' end::"char"
        from locked l where t.job_id = l.job_id and t.id = l.id
        returning t.job_id, t.id, t.route_id, t.phase, l.attempt, l.claim_id, l.claimed_at
    ), journal as (
        insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, finished_at, outcome, error)
        select b.job_id, b.id, b.attempt, b.claim_id, s.runner_id, s.id, b.claimed_at, v_now, 'given_back', p_reason
        from back b cross join tbx.slots s where s.id = p_slot and p_reason is not null
    ), counted as (
        insert into tbx.job_counts as c (job_id, shard, queued, running)
        select b.job_id, p_slot % 8, count(*), -count(*) from back b group by 1 order by 1
        on conflict (job_id, shard) do update set queued = c.queued + excluded.queued, running = c.running + excluded.running
    )
    select array_agg((x.job_id, x.route_id, x.n)::tbx.runnable) into v_runnable
    from (select b.job_id, b.route_id, count(*)::int as n from back b where b.phase = 'r' group by 1, 2) x;
    if cardinality(v_runnable) > 0 then
        perform tbx.hold_clusters(v_runnable);
        return query select * from tbx.wake(v_runnable, p_slot, 0);
    end if;
end $$;
