-- slot_lost: the process of a slot is gone, or silent for a whole lease. RUNNING -> QUEUED for what it held: the task
-- that it was running (p_task; null: unknown, so all of them) is charged a crash and waits 0, 1, 2, 4 ... 30 s; its
-- batch mates go back free. More than 10 crashes: RUNNING -> FAILED or FAILED_OPTIONAL. The slot never claims again.
-- Locks: the slot, its tasks by (job, id), then as end_failed, then idle slots.
create or replace function tbx.slot_lost(p_slot bigint, p_job bigint, p_task bigint, p_reason text)
returns setof tbx.step language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_slot tbx.slots;
    v_task tbx.tasks;
    v_failed tbx.finished[] := '{}';
    v_runnable tbx.runnable[] := '{}';
    v_canceled bigint[];
    v_charged boolean;
    v_wait interval;
begin
    update tbx.slots s set state = 'gone', woken_at = null where s.id = p_slot and s.state <> 'gone' returning s.* into v_slot;
    if v_slot.id is null then
        return;
    end if;
    for v_task in
        select t.* from tbx.tasks t where t.slot_id = p_slot and t.state = 'RUNNING' order by t.job_id, t.id for update
    loop
        v_charged := p_task is null or (v_task.job_id = p_job and v_task.id = p_task);
        v_canceled := tbx.canceled_jobs(array[v_task.job_id]);
        insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, finished_at, outcome, error)
        values (v_task.job_id, v_task.id, v_task.attempt, v_task.claim_id, v_slot.runner_id, p_slot, v_task.claimed_at,
            v_now, case when v_charged then 'lost' else 'given_back' end, p_reason);
        insert into tbx.job_counts as c (job_id, shard, running, queued, attempts)
        values (v_task.job_id, p_slot % 8, -1, (not v_charged or v_task.crashes < 10)::int, v_charged::int)
        on conflict (job_id, shard) do update
        set running = c.running - 1, queued = c.queued + excluded.queued, attempts = c.attempts + excluded.attempts;
        if v_charged and v_task.crashes >= 10 then
            v_failed := v_failed || (0, v_task.job_id, v_task.id, v_task.group_id, v_task.depth, v_task.optional_id,
                v_task.limit_id)::tbx.finished;
            continue;
        end if;
        v_wait := case when not v_charged or v_task.crashes = 0 then null
            else least(30, power(2, v_task.crashes - 1)) * interval '1 second' end;
        update tbx.tasks t set state = 'QUEUED', claim_id = null, slot_id = null, crashes = t.crashes + v_charged::int,
            run_after = v_now + v_wait,
            phase = case when cardinality(v_canceled) > 0 then 'p' when v_wait is not null then 'd' else 'r' end::"char"
        where t.job_id = v_task.job_id and t.id = v_task.id;
        if v_wait is null and cardinality(v_canceled) = 0 then
            v_runnable := v_runnable || (v_task.job_id, v_task.route_id, 1)::tbx.runnable;
        end if;
    end loop;
    if cardinality(v_failed) > 0 then
        v_runnable := v_runnable || tbx.end_failed(v_now, v_failed, (p_slot % 8)::int);
    end if;
    if cardinality(v_runnable) > 0 then
        perform tbx.hold_clusters(v_runnable);
        return query select * from tbx.wake(v_runnable, null, 0);
    end if;
end $$;
