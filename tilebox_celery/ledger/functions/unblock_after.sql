-- unblock_after: unblock for one settled group. Phase b -> r (h under a limit, p in a canceled job), as there.
-- Locks: dependent groups by id, then their tasks.
create or replace function tbx.unblock_after(p_job bigint, p_group bigint)
returns tbx.runnable[] language plpgsql as $$
declare
    v_to bigint;
    v_group tbx.task_groups;
    v_parked boolean := cardinality(tbx.canceled_jobs(array[p_job])) > 0;
    v_rows tbx.runnable[];
    v_route int;
    v_held boolean;
    v_result tbx.runnable[] := '{}';
begin
    for v_to in select e.to_id from tbx.group_edges e where e.job_id = p_job and e.from_id = p_group order by e.to_id loop
        update tbx.task_groups g set blocked_by = g.blocked_by - 1 where g.job_id = p_job and g.id = v_to returning g.* into v_group;
        continue when v_group.blocked_by > 0;
        if v_group.first_task = v_group.last_task then  -- the next link of a chain: nothing to count
            update tbx.tasks t set phase = case when v_parked then 'p' when t.limit_id is not null then 'h' else 'r' end::"char"
            where t.job_id = p_job and t.id = v_group.first_task and t.group_id = v_to and t.phase = 'b'
            returning t.route_id, t.limit_id is not null into v_route, v_held;
            v_rows := case when not v_held then array[(p_job, v_route, 1)::tbx.runnable] end;
        else
            with freed as (
                update tbx.tasks t
                set phase = case when v_parked then 'p' when t.limit_id is not null then 'h' else 'r' end::"char"
                where t.job_id = p_job and t.id between v_group.first_task and v_group.last_task and t.group_id = v_to and t.phase = 'b'
                returning t.route_id, t.limit_id
            )
            select array_agg((p_job, c.route_id, c.n)::tbx.runnable) filter (where c.limit_id is null),
                bool_or(c.limit_id is not null)
            into v_rows, v_held
            from (select f.route_id, f.limit_id, count(*)::int as n from freed f group by 1, 2) c;
        end if;
        continue when v_parked;
        v_result := v_result || v_rows;
        if v_held then
            v_result := v_result || row(0, 0, 0)::tbx.runnable;
        end if;
    end loop;
    return v_result;
end $$;
