-- wake: slots idle -> woken, at most one for each runnable task, and only of live runners that can take it. Runners
-- that listen get a NOTIFY; for the others the caller publishes a message (kind w). p_slot is the caller's own.
-- The caller holds the clusters. Locks: idle slots, skipping locked ones: only who wakes, claims for or ends an idle slot
-- may lock it.
create or replace function tbx.wake(p_runnable tbx.runnable[], p_slot bigint)
returns setof tbx.step language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_needs tbx.runnable[] := p_runnable;
    v_need tbx.runnable;
    v_woken record;
begin
    if cardinality(p_runnable) > 1 then  -- of several jobs: by cluster and route
        v_needs := array(
            select (0, x.id, x.n)::tbx.runnable from (
                select r.cluster_id, r.id, sum(n.n) as n
                from unnest(p_runnable) n join tbx.routes r on r.id = n.route_id group by 1, 2
            ) x order by x.cluster_id, x.id);
    end if;
    foreach v_need in array v_needs loop
        for v_woken in
            with picked as (
                select s.id, s.runner_id, case when r.broker_until > v_now then 'broker' else r.wake_by end as wake_by
                from tbx.routes o join tbx.slots s on s.cluster_id = o.cluster_id
                    join tbx.runners r on r.id = s.runner_id join tbx.leases l on l.slot_id = s.id
                where o.id = v_need.route_id and s.state = 'idle' and l.until > v_now
                    and s.id is distinct from p_slot
                    and r.state = 'live' and r.wake_by <> 'none' and o.id = any (r.routes)
                limit v_need.n for update of s skip locked
            )
            update tbx.slots s set state = 'woken', woken_at = v_now from picked where s.id = picked.id
            returning s.id, s.runner_id, picked.wake_by
        loop
            if v_woken.wake_by = 'notify' then
                perform pg_notify('tbx_' || v_woken.runner_id, v_woken.id::text);
            else
                return query select 'w'::"char", v_woken.id, v_woken.runner_id, null::bigint, null::int, null::int, null::int,
                    null::int, null::timestamptz, null::bytea, null::text, null::uuid;
            end if;
        end loop;
    end loop;
end $$;
