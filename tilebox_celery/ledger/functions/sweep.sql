-- sweep: repair what nobody else saw, one sweeper at a time: slots whose lease ended lose their tasks (and the rest waits
-- for the next sweep); wake-ups that nobody took (the slot is idle again, and its runner gets messages for a minute);
-- delayed tasks that are due; parked jobs; free places under limits; runners that left; runnable tasks beside idle
-- slots. Gives wake-ups; nothing when another one sweeps.
-- Locks: the sweep's own; guards of slots; ended leases with their slots, all without waiting; then as lose_tasks, or,
-- without lost slots, slots, runners, tasks, jobs, limits and clusters, each without waiting.
create or replace function tbx.sweep()
returns setof tbx.step language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_lost bigint[];
    v_job bigint;
    v_limit record;
    v_parked int;
    v_runnable tbx.runnable[];
begin
    if not pg_try_advisory_xact_lock(7413, 0) then
        return;
    end if;
    with late as materialized (
        select l.slot_id as id from tbx.leases l where l.until < v_now order by l.slot_id
    ), held as materialized (
        select l.id from late l where pg_try_advisory_xact_lock(7415, (l.id % 2147483647)::int)
    ), locked as materialized (  -- a heartbeat that came meanwhile counts
        select s.id from tbx.leases l join tbx.slots s on s.id = l.slot_id
        where l.slot_id in (select h.id from held h) and l.until < v_now for update skip locked
    ), ended as (
        delete from tbx.leases l using locked k where l.slot_id = k.id
    ), lost as (
        update tbx.slots s set state = 'gone', woken_at = null from locked l where s.id = l.id returning s.id
    )
    select array_agg(l.id) into v_lost from lost l;
    if v_lost is not null then
        return query select * from tbx.lose_tasks(v_lost, null, null, 'no heartbeat for a whole lease');
        return;
    end if;
    with left_behind as (
        select r.id from tbx.runners r
        where r.state <> 'gone' and r.seen_at < v_now - interval '60 seconds'
            and not exists (select 1 from tbx.slots s where s.runner_id = r.id and s.state <> 'gone')
        for update skip locked
    )
    update tbx.runners r set state = 'gone', gone_at = v_now from left_behind l where r.id = l.id;
    with late as (
        select s.id from tbx.slots s where s.state = 'woken' and s.woken_at < v_now - interval '2 seconds'
        order by s.id for update skip locked
    ), idle as (
        update tbx.slots s set state = 'idle', woken_at = null from late where s.id = late.id returning s.runner_id
    ), deaf as (
        select r.id from tbx.runners r
        where r.id in (select i.runner_id from idle i) and r.wake_by = 'notify' for update skip locked
    )
    update tbx.runners r set broker_until = v_now + interval '60 seconds' from deaf d where r.id = d.id;
    with due as (
        select t.job_id, t.id from tbx.tasks t where t.phase = 'd' and t.run_after <= v_now
        order by t.job_id, t.id limit 10000 for update skip locked
    )
    update tbx.tasks t set phase = 'r', run_after = null from due where t.job_id = due.job_id and t.id = due.id;
    for v_job in select j.id from tbx.jobs j where j.parking order by j.id limit 100 for share skip locked loop
        v_parked := tbx.park(v_job, 10000);
        update tbx.jobs j set parking = false
        where j.id = v_job and v_parked = 0 and j.canceled_at < v_now - interval '5 seconds';
    end loop;
    for v_limit in  -- a call that failed after another one had passed over its locked tasks
        with recursive held as (
            (select t.job_id, t.limit_id from tbx.tasks t where t.phase = 'h' order by t.job_id, t.limit_id limit 1)
            union all
            select n.job_id, n.limit_id from held h cross join lateral (
                select t.job_id, t.limit_id from tbx.tasks t
                where t.phase = 'h' and (t.job_id, t.limit_id) > (h.job_id, h.limit_id) order by t.job_id, t.limit_id limit 1
            ) n
        )
        select l.job_id, l.id from held h join tbx.job_limits l on l.job_id = h.job_id and l.id = h.limit_id
        where l.active < l.max_running for update of l skip locked
    loop
        perform tbx.promote(array[v_limit.job_id], array[v_limit.id]);
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
    ) x
    join tbx.routes r on r.id = x.route_id where pg_try_advisory_xact_lock_shared(7411, r.cluster_id);
    if v_runnable is not null then
        return query select * from tbx.wake(v_runnable, null);
    end if;
end $$;
