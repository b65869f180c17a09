-- promote: phase h -> r for the oldest held tasks of the limits, as many as each limit has room for.
-- Locks: the limit rows by (job, id), then the tasks, skipping locked ones: they are being skipped, parked or retried.
create or replace function tbx.promote(p_jobs bigint[], p_limits bigint[])
returns tbx.runnable[] language plpgsql as $$
declare
    v_limit record;
    v_result tbx.runnable[] := '{}';
    v_rows tbx.runnable[];
begin
    for v_limit in
        select l.job_id, l.id, l.max_running - l.active as free from tbx.job_limits l
        where l.job_id = any (p_jobs) and l.id = any (p_limits) order by l.job_id, l.id for update
    loop
        continue when v_limit.free <= 0;
        with picked as (
            select t.job_id, t.id from tbx.tasks t
            where t.job_id = v_limit.job_id and t.limit_id = v_limit.id and t.phase = 'h'
            order by t.id limit v_limit.free for update skip locked
        ), freed as (
            update tbx.tasks t set phase = 'r' from picked
            where t.job_id = picked.job_id and t.id = picked.id returning t.route_id
        )
        select array_agg((v_limit.job_id, c.route_id, c.n)::tbx.runnable) into v_rows
        from (select route_id, count(*)::int as n from freed group by 1) c;
        if v_rows is not null then
            update tbx.job_limits l set active = active + (select sum(r.n) from unnest(v_rows) r)
            where l.job_id = v_limit.job_id and l.id = v_limit.id;
            v_result := v_result || v_rows;
        end if;
    end loop;
    return v_result;
end $$;
