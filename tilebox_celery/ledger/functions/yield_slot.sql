-- yield_slot: a slot leaves its loop although more may be runnable (so that its process can be recycled): it is idle
-- from now on, and idle slots are woken for what its runner could take. Locks: the slot, clusters, idle slots.
create or replace function tbx.yield_slot(p_slot bigint)
returns setof tbx.step language plpgsql as $$
declare
    v_runnable tbx.runnable[];
begin
    update tbx.slots s set state = 'idle', woken_at = null where s.id = p_slot and s.state = 'busy';
    select array_agg((0, r.id, c.n)::tbx.runnable) into v_runnable
    from tbx.slots s join tbx.runners n on n.id = s.runner_id cross join lateral unnest(n.routes) r(id)
    cross join lateral (
        select count(*)::int as n from (select 1 from tbx.tasks t where t.route_id = r.id and t.phase = 'r' limit 1000) x
    ) c
    where s.id = p_slot and c.n > 0;
    if v_runnable is not null then
        perform tbx.hold_clusters(v_runnable);
        return query select * from tbx.wake(v_runnable, null, 0);
    end if;
end $$;
