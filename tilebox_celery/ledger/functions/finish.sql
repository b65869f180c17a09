-- finish: the part of advance that follows from tasks that were just COMPUTED: subtasks in, groups settled, limits
-- handed on, counts and results kept. Locks: an optional root above a task that has subtasks (shared), then as
-- settle, then limits, then the count rows of this slot's shard.
create or replace function tbx.finish(
    p_now timestamptz, p_done tbx.finished[], p_run_us bigint[], p_cpu_us bigint[], p_results bytea[],
    p_has_subtasks boolean[], p_family tbx.family, p_stale boolean, p_slot bigint
) returns tbx.runnable[] language plpgsql as $$
declare
    v_runnable tbx.runnable[] := '{}';
    v_parents tbx.finished[];
    v_closed "char"[];
    v_group_ids bigint[];
    v_jobs bigint[]; v_groups bigint[]; v_depths int[]; v_counts int[];
begin
    select array_agg(x.job_id), array_agg(x.group_id), array_agg(x.depth), array_agg(x.n) into v_jobs, v_groups, v_depths, v_counts
    from (
        select d.job_id, d.group_id, d.depth, count(*)::int as n from unnest(p_done) d
        where p_has_subtasks is null or not p_has_subtasks[d.n] group by 1, 2, 3
    ) x;
    if p_has_subtasks is not null then
        if p_stale then
            select array_agg(d order by x.n) into v_parents
            from unnest(p_has_subtasks) with ordinality x(has, n) left join unnest(p_done) d on d.n = x.n where x.has;
        else
            select array_agg(d order by d.n) into v_parents from unnest(p_done) d where p_has_subtasks[d.n];
        end if;
        v_closed := tbx.closed(v_parents);
        v_group_ids := array(select nextval('tbx.group_id') from generate_series(1, cardinality(p_family.group_open)));
        v_runnable := tbx.insert_family(p_now,
            array(select q.job_id from unnest(v_parents) q), array(select q.id from unnest(v_parents) q),
            array(select q.group_id from unnest(v_parents) q), array(select q.depth from unnest(v_parents) q),
            array(select q.optional_id from unnest(v_parents) q), v_closed, v_group_ids, p_family);
        if 's' = any (v_closed) then  -- stored as SKIPPED: settled at once
            select v_jobs || array_agg(q.job_id), v_groups || array_agg(g.id), v_depths || array_agg(q.depth + 1),
                v_counts || array_agg(g.open)
            into v_jobs, v_groups, v_depths, v_counts
            from unnest(p_family.group_parent, p_family.group_open, v_group_ids) g(parent, open, id)
            cross join lateral (select (v_parents[g.parent]).*) q
            where v_closed[g.parent] = 's';
        end if;
    end if;
    if p_results is not null then
        insert into tbx.task_results (job_id, task_id, result)
        select d.job_id, d.id, p_results[d.n] from unnest(p_done) d where p_results[d.n] is not null;
    end if;
    if v_jobs is not null then
        v_runnable := v_runnable || tbx.settle(p_now, v_jobs, v_groups, v_depths, v_counts);
    end if;
    if exists (select 1 from unnest(p_done) d where d.limit_id is not null) then
        v_runnable := v_runnable || tbx.leave_limits(p_done);
    end if;
    insert into tbx.job_counts as c (job_id, shard, queued, running, computed, skipped, attempts, run_us, cpu_us)
    select x.job_id, p_slot % 8, sum(x.queued), sum(-x.computed), sum(x.computed), sum(x.skipped), sum(x.computed),
        sum(x.run_us), sum(x.cpu_us)
    from (
        select d.job_id, 0 as queued, 1 as computed, 0 as skipped, p_run_us[d.n] as run_us, p_cpu_us[d.n] as cpu_us
        from unnest(p_done) d
        union all
        select (v_parents[g.parent]).job_id, case when v_closed[g.parent] = 's' then 0 else g.open end, 0,
            case when v_closed[g.parent] = 's' then g.open else 0 end, 0, 0
        from unnest(p_family.group_parent, p_family.group_open) g(parent, open)
        where (v_parents[g.parent]).job_id is not null
    ) x group by x.job_id order by x.job_id
    on conflict (job_id, shard) do update set queued = c.queued + excluded.queued, running = c.running + excluded.running,
        computed = c.computed + excluded.computed, skipped = c.skipped + excluded.skipped,
        attempts = c.attempts + excluded.attempts, run_us = c.run_us + excluded.run_us, cpu_us = c.cpu_us + excluded.cpu_us;
    return v_runnable;
end $$;
