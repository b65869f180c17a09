-- claim: QUEUED -> RUNNING. A batch for one slot: jobs in turn after the cursor, within a job first in, first out
-- by id, over every route that the runner can take; at most its fair share of what is ready (p_share slots) and what
-- p_caps says of each route (tasks that fill a batch's time; 1 where unknown). Nothing claimed: the slot becomes idle,
-- unless somebody is publishing (kind a), or the caller is (p_may_idle false). The job under the cursor is known to
-- the caller; others come as kind j.
-- Locks: the tasks (skipping locked ones); the wake-up protocol's lock of the cluster, without waiting.
create or replace function tbx.claim(
    p_slot bigint, p_claim uuid, p_cursor bigint, p_want int, p_share int, p_cap_routes int[], p_caps int[],
    p_may_idle boolean
) returns tbx.step[] language plpgsql as $$
declare
    v_slot record;
    v_now timestamptz := tbx.now();
    v_cursor bigint := p_cursor;
    v_wrapped boolean := p_cursor <= 0;
    v_left int := p_want;
    v_again boolean := false;
    v_next bigint;
    v_job record;
    v_routes int[];
    v_got tbx.step[];
    v_steps tbx.step[] := '{}';
begin
    loop
        select s.state, s.cluster_id, r.state as runner_state, r.routes, r.wake_by into v_slot
        from tbx.slots s join tbx.runners r on r.id = s.runner_id where s.id = p_slot;
        if v_slot.state is null or v_slot.state = 'gone' or v_slot.runner_state = 'gone' then
            return array[tbx.signal('g')];
        elsif v_slot.runner_state = 'draining' then
            return array[tbx.signal('d')];
        end if;
        while v_left > 0 loop
            -- per route the first job after the cursor that has ready tasks, or the first of all
            select min(q.job_id), array_agg(q.route_id) filter (where q.job_id = q.first) into v_next, v_routes
            from (
                select x.job_id, r.id as route_id, min(x.job_id) over () as first
                from unnest(v_slot.routes) r(id) cross join lateral (
                    select t.job_id from tbx.tasks t
                    where t.route_id = r.id and t.phase = 'r' and t.job_id > v_cursor
                    order by t.job_id limit 1
                ) x
            ) q;
            if v_next is null or (v_wrapped and p_cursor > 0 and v_next > p_cursor) then
                exit when v_wrapped;
                v_wrapped := true;
                v_cursor := 0;
                continue;
            end if;
            v_cursor := v_next;
            select j.id, j.uuid, j.name, j.trace_parent, j.started_at, j.canceled_at into v_job from tbx.jobs j where j.id = v_next;
            continue when v_job.canceled_at is not null;
            v_got := tbx.claim_of_job(v_now, v_next, v_routes, p_slot, p_claim, v_left, p_share, p_cap_routes, p_caps);
            continue when v_got is null;
            v_left := v_left - cardinality(v_got);
            v_steps := v_steps || v_got;
            if v_next <> p_cursor then
                v_steps := v_steps || row('j', v_next, null, null, null, null, null, null, null, null,
                    v_job.trace_parent || ' ' || v_job.name, v_job.uuid)::tbx.step;
            end if;
            if v_job.started_at is null then
                update tbx.jobs set started_at = v_now where id = v_next and started_at is null;
            end if;
        end loop;
        exit when v_left < p_want or v_slot.wake_by = 'none' or v_again;
        if not p_may_idle or not pg_try_advisory_xact_lock(7411, v_slot.cluster_id) then
            return array[tbx.signal('a')];
        end if;
        v_again := true;  -- nobody publishes now: what is runnable, by any route, is visible to the next statement
        v_cursor := p_cursor;
        v_wrapped := p_cursor <= 0;
    end loop;
    if v_left < p_want then
        if v_slot.state <> 'busy' then
            update tbx.slots set state = 'busy', woken_at = null where id = p_slot;
        end if;
        return v_steps;
    end if;
    if v_slot.state <> 'idle' and v_slot.wake_by <> 'none' then
        update tbx.slots set state = 'idle', woken_at = null where id = p_slot and state <> 'gone';
    end if;
    return array[tbx.signal('i')];
end $$;
