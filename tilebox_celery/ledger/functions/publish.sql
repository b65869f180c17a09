-- publish: the last part of a call that is no claim: wake idle slots for what it made runnable, and add its counts.
-- Locks: clusters by id, shared; count rows by job; idle slots.
create or replace function tbx.publish(p_runnable tbx.runnable[], p_slot bigint, p_tallies tbx.tally[])
returns setof tbx.step language plpgsql as $$
begin
    if cardinality(p_runnable) > 0 then
        perform tbx.hold_clusters(p_runnable);
    end if;
    perform tbx.add_counts(coalesce(p_slot, 0) % 8, p_tallies);
    if cardinality(p_runnable) > 0 then
        return query select * from tbx.wake(p_runnable, p_slot);
    end if;
end $$;
