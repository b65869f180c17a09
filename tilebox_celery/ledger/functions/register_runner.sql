-- register_runner: a new runner of a cluster with the identifiers that it registered; it is draining
-- from the start if the ledger wants newer code. Null: no such cluster.
-- Locks: the minimum version, shared, so that whoever raises it sees all that were let in before; the cluster's registry, so that no new route misses the runner.
create or replace function tbx.register_runner(
    p_cluster text, p_name text, p_host text, p_pid int, p_code_version text, p_wake_by text, p_slots int,
    p_names text[], p_majors int[], p_minors int[], p_schema_version int
) returns bigint language plpgsql as $$
declare
    v_cluster int := (select c.id from tbx.clusters c where c.slug = p_cluster and c.deleted_at is null);
    v_minimum int;
    v_runner bigint;
begin
    if v_cluster is null then
        return null;
    end if;
    select m.value::int into v_minimum from tbx.meta m where m.key = 'ledger.minimum' for share;
    perform pg_advisory_xact_lock(7412, v_cluster);
    insert into tbx.runners (cluster_id, name, host, pid, code_version, schema_version, state, wake_by, slot_count, routes)
    values (v_cluster, p_name, p_host, p_pid, p_code_version, p_schema_version,
        case when p_schema_version < v_minimum then 'draining' else 'live' end, p_wake_by, p_slots, array(
        select r.id from tbx.routes r join unnest(p_names, p_majors, p_minors) k(name, major, minor)
            on r.name = k.name and r.major = k.major and r.minor <= k.minor
        where r.cluster_id = v_cluster
    ))
    returning id into v_runner;
    insert into tbx.runner_tasks (runner_id, name, major, minor)
    select v_runner, k.name, k.major, k.minor from unnest(p_names, p_majors, p_minors) k(name, major, minor);
    return v_runner;
end $$;
