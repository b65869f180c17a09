-- slot_lost: the process of a slot is gone. The slot never claims again; its tasks are lost (lose_tasks), and a wake-up
-- that it can no longer take goes to another slot.
-- Locks: the slot's guard alone, which waits for a call of the slot that is still under way; the slot, its lease;
-- as lose_tasks; its cluster, shared, without waiting; an idle slot.
create or replace function tbx.slot_lost(p_slot bigint, p_job bigint, p_task bigint, p_reason text)
returns setof tbx.step language plpgsql as $$
declare
    v_slot record;
    v_runnable tbx.runnable[];
begin
    perform pg_advisory_xact_lock(7415, (p_slot % 2147483647)::int);
    select s.state, s.cluster_id, r.routes into v_slot
    from tbx.slots s join tbx.runners r on r.id = s.runner_id where s.id = p_slot and s.state <> 'gone' for update of s;
    if v_slot.state is null then
        return;
    end if;
    update tbx.slots s set state = 'gone', woken_at = null where s.id = p_slot;
    delete from tbx.leases l where l.slot_id = p_slot;
    return query select * from tbx.lose_tasks(array[p_slot], p_job, p_task, p_reason);
    if v_slot.state = 'woken' and pg_try_advisory_xact_lock_shared(7411, v_slot.cluster_id) then
        v_runnable := array(  -- a statement of its own: it sees what the slot was woken for
            select (0, r.id, 1)::tbx.runnable from unnest(v_slot.routes) r(id)
            where exists (select 1 from tbx.tasks t where t.route_id = r.id and t.phase = 'r') limit 1);
        return query select * from tbx.wake(v_runnable, p_slot);
    end if;
end $$;
