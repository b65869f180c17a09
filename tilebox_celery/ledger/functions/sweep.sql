-- sweep: repair what nobody else saw, one sweeper at a time: slots whose lease ended (as slot_lost), wake-ups that
-- nobody took (the slot is idle again, and its runner gets messages for a minute), delayed tasks that are due,
-- runnable tasks beside idle slots, parked jobs, runners that left. Gives wake-ups; nothing when another one sweeps.
-- Locks: the sweep's own, without waiting; then as slot_lost and wake.
create or replace function tbx.sweep()
returns setof tbx.step language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_slot bigint;
    v_job bigint;
    v_parked int;
    v_runnable tbx.runnable[];
begin
    if not pg_try_advisory_xact_lock(7413, 0) then
        return;
    end if;
    for v_slot in
        select s.id from tbx.runners r join tbx.slots s on s.runner_id = r.id and s.state <> 'gone'
        where r.state <> 'gone' and s.lease_until < v_now order by s.id
    loop
        return query select * from tbx.slot_lost(v_slot, null, null, 'no heartbeat for a whole lease');
    end loop;
    update tbx.runners r set state = 'gone', gone_at = v_now
    where r.state <> 'gone' and r.seen_at < v_now - interval '60 seconds'
        and not exists (select 1 from tbx.slots s where s.runner_id = r.id and s.state <> 'gone');
    with late as (
        select s.id from tbx.slots s where s.state = 'woken' and s.woken_at < v_now - interval '2 seconds'
        order by s.id for update skip locked
    ), idle as (
        update tbx.slots s set state = 'idle', woken_at = null from late where s.id = late.id returning s.runner_id
    )
    update tbx.runners r set broker_until = v_now + interval '60 seconds'
    where r.id in (select i.runner_id from idle i) and r.wake_by = 'notify';
    with due as (
        select t.job_id, t.id from tbx.tasks t where t.phase = 'd' and t.run_after <= v_now
        order by t.job_id, t.id limit 10000 for update skip locked
    )
    update tbx.tasks t set phase = 'r', run_after = null from due where t.job_id = due.job_id and t.id = due.id;
    for v_job in select j.id from tbx.jobs j where j.parking order by j.id limit 100 loop
        v_parked := tbx.park(v_job, 10000);
        update tbx.jobs j set parking = false
        where j.id = v_job and v_parked = 0 and j.canceled_at < v_now - interval '5 seconds';
    end loop;
    select array_agg((0, x.route_id, x.n)::tbx.runnable) into v_runnable
    from (
        select r.id as route_id, c.n from (
            select distinct unnest(n.routes) as id from tbx.runners n
            where n.state = 'live' and n.wake_by <> 'none'
                and exists (select 1 from tbx.slots s where s.runner_id = n.id and s.state = 'idle')
        ) r cross join lateral (
            select count(*)::int as n from (
                select 1 from tbx.tasks t where t.route_id = r.id and t.phase = 'r' limit 1000
            ) y
        ) c where c.n > 0
    ) x;
    if v_runnable is not null then
        perform tbx.hold_clusters(v_runnable);
        return query select * from tbx.wake(v_runnable, null, 0);
    end if;
end $$;
