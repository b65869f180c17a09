-- ensure_routes: number each (cluster, identifier, version), in the order asked; unknown clusters give null.
-- A new route is added to the runners that can take it. Locks: the cluster's registry, so that no runner that
-- registers at the same time misses it.
create or replace function tbx.ensure_routes(p_clusters text[], p_names text[], p_majors int[], p_minors int[])
returns int[] language plpgsql as $$
declare
    v_ids int[] := '{}';
    v_id int;
    v_cluster int;
begin
    for i in 1 .. cardinality(p_names) loop
        select c.id into v_cluster from tbx.clusters c where c.slug = p_clusters[i] and c.deleted_at is null;
        select r.id into v_id from tbx.routes r
        where r.cluster_id = v_cluster and r.name = p_names[i] and r.major = p_majors[i] and r.minor = p_minors[i];
        if v_id is null and v_cluster is not null then
            perform pg_advisory_xact_lock(7412, v_cluster);
            insert into tbx.routes (cluster_id, name, major, minor)
            values (v_cluster, p_names[i], p_majors[i], p_minors[i])
            on conflict do nothing returning id into v_id;
            if v_id is null then
                select r.id into v_id from tbx.routes r
                where r.cluster_id = v_cluster and r.name = p_names[i] and r.major = p_majors[i] and r.minor = p_minors[i];
            else
                update tbx.runners n set routes = n.routes || v_id
                from tbx.runner_tasks k
                where n.cluster_id = v_cluster and n.state <> 'gone' and k.runner_id = n.id
                    and k.name = p_names[i] and k.major = p_majors[i] and k.minor >= p_minors[i];
            end if;
        end if;
        v_ids := v_ids || v_id;
    end loop;
    return v_ids;
end $$;
