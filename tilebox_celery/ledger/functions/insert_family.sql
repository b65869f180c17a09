-- insert_family: none -> QUEUED. Store the subtasks of parents that just finished (or the roots of a job: parent
-- id null), with groups and edges. Phase of a task: b when its group waits, else p in a canceled job, h under a
-- limit (and route 0 in the answer: the caller's leave_limits looks for free places), r otherwise; SKIPPED under an
-- optional task whose subtree failed. Locks: none beyond its own new rows; the caller holds the parents. A parent with
-- job null is left out (its attempt was stale). Gives what is ready by route.
create or replace function tbx.insert_family(
    p_now timestamptz, p_jobs bigint[], p_parents bigint[], p_groups bigint[], p_depths int[], p_optionals bigint[],
    p_closed "char"[], p_group_ids bigint[], p tbx.family
) returns tbx.runnable[] language plpgsql as $$
declare
    v_group_ids bigint[] := p_group_ids;
    v_ids bigint[] := tbx.task_ids(p_now, cardinality(p.task_group));
    v_limits bigint[];
    v_result tbx.runnable[];
    v_group_parent int[] := p.group_parent;
    v_group_blocked int[] := p.group_blocked;
    v_task_optional boolean[] := p.task_optional;
    v_task_display text[] := p.task_display;
    v_task_max_retries int[] := p.task_max_retries;
begin
    insert into tbx.task_groups (job_id, id, depth, parent_id, parent_group_id, family_size, open, blocked_by,
        has_dependents, first_task, last_task)
    select p_jobs[g.parent], v_group_ids[g.n], p_depths[g.parent] + 1, p_parents[g.parent], p_groups[g.parent], g.size,
        g.open, g.blocked, g.dependents,
        v_ids[g.first / 256 + 1] + g.first % 256, v_ids[g.last / 256 + 1] + g.last % 256
    from unnest(p.group_parent, p.family_size, p.group_open, p.group_blocked, p.group_dependents, p.group_first,
        p.group_last) with ordinality g(parent, size, open, blocked, dependents, first, last, n)
    where p_jobs[g.parent] is not null;
    if cardinality(p.group_open) > 1 then
        insert into tbx.families (job_id, parent_id, open)
        select p_jobs[g.parent], coalesce(p_parents[g.parent], 0), min(g.size)
        from unnest(p.group_parent, p.family_size) g(parent, size)
        where g.size > 1 and p_jobs[g.parent] is not null group by g.parent;
        insert into tbx.group_edges (job_id, from_id, to_id)
        select p_jobs[v_group_parent[e.f]], v_group_ids[e.f], v_group_ids[e.t] from unnest(p.edge_from, p.edge_to) e(f, t)
        where p_jobs[v_group_parent[e.f]] is not null;
    end if;
    if p.task_limit_key is not null then
        v_limits := tbx.limit_ids(p_jobs, p.group_parent, p.task_group, p.task_limit_key, p.task_limit);
    end if;
    with new as (
        select p_jobs[t.parent] as job_id, t.id, v_group_ids[t.grp] as group_id, p_parents[t.parent] as parent_id,
            t.route, p_depths[t.parent] + 1 as depth, t.input,
            case when coalesce(v_task_optional[t.n], false) then t.id else p_optionals[t.parent] end as optional_id,
            coalesce(v_task_optional[t.n], false) as optional, v_limits[t.n] as limit_id,
            coalesce(v_task_max_retries[t.n], 0) as max_retries, left(v_task_display[t.n], 1024) as display,
            case when p_closed[t.parent] = 's' then '-'
                when v_group_blocked[t.grp] > 0 then 'b'
                when p_closed[t.parent] = 'p' then 'p'
                when v_limits[t.n] is not null then 'h' else 'r' end::"char" as phase
        from (
            select u.grp, u.route, u.input, u.n, v_group_parent[u.grp] as parent,
                v_ids[(u.n - 1) / 256 + 1] + (u.n - 1) % 256 as id
            from unnest(p.task_group, p.task_route, p.task_input) with ordinality u(grp, route, input, n)
        ) t
        where p_jobs[t.parent] is not null
    ), stored as (
        insert into tbx.tasks (job_id, id, group_id, parent_id, route_id, depth, state, phase, optional_id, optional,
            limit_id, max_retries, input, display)
        select job_id, id, group_id, parent_id, route, depth,
            case when phase = '-' then 'SKIPPED' else 'QUEUED' end::tbx.task_state, phase, optional_id, optional,
            limit_id, max_retries, input, display
        from new
        returning job_id, route_id, phase
    )
    select array_agg((c.job_id, c.route_id, c.n)::tbx.runnable) into v_result
    from (select job_id, route_id, count(*)::int as n from stored where phase = 'r' group by 1, 2) c;
    if v_limits is not null then
        v_result := v_result || row(0, 0, 0)::tbx.runnable;
    end if;
    return v_result;
end $$;
