-- slot_lost: the process of a slot is gone. The slot never claims again; its tasks are lost (lose_tasks).
-- Locks: the slot's guard alone, which waits for a call of the slot that is still under way; the slot, its lease;
-- as lose_tasks.
create or replace function tbx.slot_lost(p_slot bigint, p_job bigint, p_task bigint, p_reason text)
returns setof tbx.step language plpgsql as $$
begin
    perform pg_advisory_xact_lock(7415, (p_slot % 2147483647)::int);
    update tbx.slots s set state = 'gone', woken_at = null where s.id = p_slot and s.state <> 'gone';
    if found then
        delete from tbx.leases l where l.slot_id = p_slot;
        return query select * from tbx.lose_tasks(array[p_slot], p_job, p_task, p_reason);
    end if;
end $$;
