-- hold_clusters: publishers hold this shared until they commit; a slot goes idle only while it can have it alone.
-- Locks: the clusters of the routes, by id.
create or replace function tbx.hold_clusters(p_runnable tbx.runnable[])
returns void language plpgsql as $$
declare
    v_cluster int;
begin
    for v_cluster in
        select distinct r.cluster_id from unnest(p_runnable) n join tbx.routes r on r.id = n.route_id order by 1
    loop
        perform pg_advisory_xact_lock_shared(7411, v_cluster);
    end loop;
end $$;
