-- unblock: phase b -> r (h under a limit, with route 0 in the answer for leave_limits; p in a canceled job) for groups
-- whose last dependency has settled.
-- Locks: dependent groups by (job, id), then their tasks.
create or replace function tbx.unblock(p_settled tbx.task_groups[])
returns tbx.runnable[] language plpgsql as $$
declare
    v_groups tbx.task_groups[];
    v_result tbx.runnable[];
    v_held boolean;
    v_parked bigint[];
begin
    with hit as (
        select e.job_id, e.to_id, count(*)::int as n
        from unnest(p_settled) s join tbx.group_edges e on e.job_id = s.job_id and e.from_id = s.id
        group by 1, 2
    ), locked as materialized (
        select g.job_id, g.id, h.n from hit h join tbx.task_groups g on g.job_id = h.job_id and g.id = h.to_id
        order by 1, 2 for update of g
    ), lowered as (
        update tbx.task_groups g set blocked_by = g.blocked_by - l.n from locked l
        where g.job_id = l.job_id and g.id = l.id returning g.*
    )
    select array_agg(l::tbx.task_groups) into v_groups from lowered l where l.blocked_by = 0;
    if v_groups is null then
        return '{}';
    end if;
    v_parked := tbx.canceled_jobs(array(select distinct g.job_id from unnest(v_groups) g order by 1));
    with freed as (
        update tbx.tasks t
        set phase = case when t.job_id = any (v_parked) then 'p' when t.limit_id is not null then 'h' else 'r' end::"char"
        from unnest(v_groups) g
        where t.job_id = g.job_id and t.id between g.first_task and g.last_task and t.group_id = g.id and t.phase = 'b'
        returning t.job_id, t.route_id, t.limit_id, t.phase
    ), counted as (
        select job_id, route_id, count(*)::int as n from freed where phase = 'r' group by 1, 2
    )
    select (select array_agg((c.job_id, c.route_id, c.n)::tbx.runnable) from counted c),
        bool_or(f.phase = 'h')
    into v_result, v_held from freed f;
    if v_held then
        v_result := v_result || row(0, 0, 0)::tbx.runnable;
    end if;
    return coalesce(v_result, '{}');
end $$;
