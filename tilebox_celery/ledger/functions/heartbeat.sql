-- heartbeat: renew the leases of the healthy slots of a runner. A runner or slot that was given up meanwhile lives
-- again (its tasks stay where they went: the fence refuses the old attempts), and one whose code is older than the
-- ledger wants is draining; gives the runner's state (null: unknown) and the slots that had been given up. Living slots
-- are left alone: wake passes over a locked one.
-- Locks: for a runner that was given up the cluster's registry; the runner; the leases, which a sweep that ends them
-- holds until it is done; slots that had been given up.
create or replace function tbx.heartbeat(p_runner bigint, p_slots bigint[], p_lease interval, out state text, out gone bigint[])
language plpgsql as $$
declare
    v_cluster int;
    v_minimum int := (select m.value::int from tbx.meta m where m.key = 'ledger.minimum');
begin
    select r.state, r.cluster_id into state, v_cluster from tbx.runners r where r.id = p_runner;
    if state = 'gone' and cardinality(p_slots) > 0 then
        perform pg_advisory_xact_lock(7412, v_cluster);
        update tbx.runners r set seen_at = tbx.now(), gone_at = null,
            state = case when r.schema_version < v_minimum then 'draining' else 'live' end, routes = array(
            select t.id from tbx.routes t join tbx.runner_tasks k
                on t.name = k.name and t.major = k.major and t.minor <= k.minor
            where t.cluster_id = v_cluster and k.runner_id = p_runner
        ) where r.id = p_runner returning r.state into state;
    else
        update tbx.runners r set seen_at = tbx.now(),
            state = case when r.state = 'live' and r.schema_version < v_minimum then 'draining' else r.state end
        where r.id = p_runner returning r.state into state;
    end if;
    update tbx.leases l set until = tbx.now() + p_lease where l.slot_id = any (p_slots);
    gone := array(  -- what sweeps have ended meanwhile is visible to this statement
        select s.id from tbx.slots s where s.id = any (p_slots) and s.state = 'gone' order by s.id for update);
    if cardinality(gone) > 0 then
        update tbx.slots s set state = 'idle' where s.id = any (gone);
        insert into tbx.leases (slot_id, until) select g.id, tbx.now() + p_lease from unnest(gone) g(id) on conflict do nothing;
    end if;
end $$;
