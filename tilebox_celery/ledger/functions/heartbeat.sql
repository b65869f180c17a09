-- heartbeat: renew the leases of the healthy slots of a runner; gives the runner's state (null: unknown) and the
-- slots that are gone already. Locks: the runner, its slots by id.
create or replace function tbx.heartbeat(p_runner bigint, p_slots bigint[], p_lease interval, out state text, out gone bigint[])
language plpgsql as $$
begin
    update tbx.runners r set seen_at = tbx.now() where r.id = p_runner and r.state <> 'gone' returning r.state into state;
    perform 1 from tbx.slots s where s.id = any (p_slots) and s.state <> 'gone' order by s.id for update;
    update tbx.slots s set lease_until = tbx.now() + p_lease where s.id = any (p_slots) and s.state <> 'gone';
    gone := array(select s.id from tbx.slots s where s.id = any (p_slots) and s.state = 'gone');
end $$;
