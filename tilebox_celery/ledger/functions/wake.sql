-- wake: slots idle -> woken, at most one for each task that the caller (slot p_slot) has not claimed itself, and
-- only of live runners that can take one of the routes. Runners that listen get a NOTIFY; for the others the caller
-- publishes a message (kind w). Locks: idle slots, skipping locked ones.
create or replace function tbx.wake(p_runnable tbx.runnable[], p_slot bigint, p_claimed int)
returns setof tbx.step language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_cluster record;
    v_woken record;
    v_own int := 0;
begin
    if p_slot is not null then
        select s.cluster_id into v_own from tbx.slots s where s.id = p_slot;
    end if;
    for v_cluster in
        select r.cluster_id, array_agg(distinct r.id) as routes, sum(n.n) as n
        from unnest(p_runnable) n join tbx.routes r on r.id = n.route_id group by 1 order by 1
    loop
        if v_cluster.cluster_id = v_own then
            v_cluster.n := v_cluster.n - p_claimed;
        end if;
        continue when v_cluster.n <= 0;
        for v_woken in
            with picked as (
                select s.id, s.runner_id, case when r.broker_until > v_now then 'broker' else r.wake_by end as wake_by
                from tbx.slots s join tbx.runners r on r.id = s.runner_id
                where s.cluster_id = v_cluster.cluster_id and s.state = 'idle' and s.lease_until > v_now
                    and s.id is distinct from p_slot
                    and r.state = 'live' and r.wake_by <> 'none' and r.routes && v_cluster.routes
                limit v_cluster.n for update of s skip locked
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
