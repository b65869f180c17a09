-- submit: none -> QUEUED. One job with its root tasks. Submitting the same uuid again changes nothing (the first
-- answer may have been lost). Slots are woken without waiting for the disk: the caller sends a durable statement behind
-- this one, and tells nobody of the job before that is done. p_default: the default cluster that the caller counted on,
-- null where it used none. p_ahead: the slot that wake_ahead woke for the first root; 0: the one that it woke by
-- this connection. While it is awake and no call of
-- it can begin before this one commits, it needs no other wake-up.
-- Locks: that slot's guard, alone, without waiting; the clusters (shared, against their deletion), the wake-up
-- protocol's lock of the clusters, idle slots.
create or replace function tbx.submit(
    p_actor text, p_uuid uuid, p_name text, p_trace_parent text, p_canvas jsonb, p_default text, p_ahead bigint,
    p_family tbx.family
) returns setof tbx.step language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_job bigint;
    v_runnable tbx.runnable[];
    v_commit text := set_config('synchronous_commit', 'off', true);
    v_clusters int[];
    v_cluster int;
    v_hold boolean;
    v_groups bigint[];
    v_slot bigint := case p_ahead when 0 then nullif(current_setting('tbx.ahead', true), '')::bigint else p_ahead end;
    v_none text := set_config('tbx.ahead', '', false);
    v_ahead boolean := v_slot is not null and pg_try_advisory_xact_lock(7415, (v_slot % 2147483647)::int);
begin
    insert into tbx.jobs (uuid, name, trace_parent, submitted_at, canvas)
    values (p_uuid, p_name, p_trace_parent, v_now, p_canvas) on conflict (uuid) do nothing returning id into v_job;
    if v_job is null then
        return;
    end if;
    v_clusters := array(select distinct r.cluster_id from tbx.routes r where r.id = any (p_family.task_route) order by 1);
    foreach v_cluster in array v_clusters loop
        v_hold := pg_advisory_xact_lock_shared(7418, v_cluster) is null;
    end loop;
    if not (
        select count(*) filter (where c.deleted_at is null) = cardinality(v_clusters)
            and (p_default is null or bool_or(c.slug = p_default and c.is_default))
        from tbx.clusters c where c.id = any (v_clusters)
    ) then
        raise exception 'a cluster was deleted, or another one is the default' using errcode = 'TBX01';
    end if;
    if cardinality(p_family.group_open) = 1 then
        v_groups := array[nextval('tbx.group_id')];
    else
        v_groups := array(select nextval('tbx.group_id') from generate_series(1, cardinality(p_family.group_open)));
    end if;
    v_runnable := tbx.insert_family(v_now, array[v_job], array[null::bigint], array[null::bigint], array[-1],
        array[null::bigint], array['-'::"char"],
        v_groups, p_family);
    if p_family.task_limit_key is not null then
        v_runnable := tbx.leave_limits(v_runnable, array[(0, v_job, null, null, null, null, null)::tbx.finished]);
    end if;
    insert into tbx.actions (job_id, at, actor, action) values (v_job, v_now, p_actor, 'submit');
    insert into tbx.job_counts (job_id, shard, queued) values (v_job, 0, cardinality(p_family.task_route));
    if cardinality(v_runnable) > 0 then
        foreach v_cluster in array v_clusters loop
            v_hold := pg_advisory_xact_lock_shared(7411, v_cluster) is null;
        end loop;
        if v_ahead and exists (select 1 from tbx.slots s where s.id = v_slot and s.state = 'woken') then
            if v_runnable = array[(v_job, p_family.task_route[1], 1)::tbx.runnable] then
                return;
            end if;
            v_runnable := array(select (r.job_id, r.route_id, r.n - (r.route_id = p_family.task_route[1])::int)::tbx.runnable
                from unnest(v_runnable) r);
        end if;
        return query select * from tbx.wake(v_runnable, null);
    end if;
end $$;
