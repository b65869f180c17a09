-- give_back: RUNNING -> QUEUED for tasks of one slot that it has claimed and not started (or, at shutdown, that it
-- may not end): no retry and no crash is spent. p_tasks null: all that the slot holds. Stale claims change nothing.
-- Locks: the slot's guard, shared; canceled jobs, shared; tasks by (job, id); clusters; counts; idle slots.
create or replace function tbx.give_back(p_slot bigint, p_claim uuid, p_jobs bigint[], p_tasks bigint[], p_reason text)
returns setof tbx.step language plpgsql as $$
declare
    v_guard boolean := pg_advisory_xact_lock_shared(7415, (p_slot % 2147483647)::int) is null;
    v_now timestamptz := tbx.now();
    v_runnable tbx.runnable[];
    v_tallies tbx.tally[];
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
    ), summed as (
        select b.job_id, b.route_id, b.phase, count(*)::int as n from back b group by 1, 2, 3
    )
    select array_agg((x.job_id, x.route_id, x.n)::tbx.runnable) filter (where x.phase = 'r'),
        array_agg((x.job_id, x.n, -x.n, 0, 0, 0, 0, 0, 0)::tbx.tally)
    into v_runnable, v_tallies from summed x;
    if v_tallies is not null then
        return query select * from tbx.publish(v_runnable, p_slot, v_tallies);
    end if;
end $$;
