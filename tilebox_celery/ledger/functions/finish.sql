-- finish: the part of advance that follows from tasks that were just COMPUTED: subtasks in, groups settled, limits
-- handed on, results kept. Gives what became runnable, and what to add to the counts.
-- Locks: guards of jobs with optional tasks, shared; canceled jobs, shared; then as settle; then limits.
create or replace function tbx.finish(
    p_now timestamptz, p_done tbx.finished[], p_run_us bigint[], p_cpu_us bigint[], p_results bytea[],
    p_has_subtasks boolean[], p_family tbx.family, p_stale boolean
) returns tbx.consequence language plpgsql as $$
declare
    v_after tbx.consequence := row('{}'::tbx.runnable[], null);
    v_one tbx.finished := p_done[1];
    v_parents tbx.finished[];
    v_closed "char"[];
    v_group_ids bigint[];
    v_optional boolean := v_one.optional_id is not null;
    v_limited boolean := v_one.limit_id is not null;
    v_jobs bigint[]; v_groups bigint[]; v_depths int[]; v_counts int[];
begin
    if cardinality(p_done) = 1 and p_has_subtasks is null then
        v_jobs := array[v_one.job_id]; v_groups := array[v_one.group_id]; v_depths := array[v_one.depth]; v_counts := array[1];
        v_after.counts := array[(v_one.job_id, 0, -1, 1, 0, 1, p_run_us[v_one.n], p_cpu_us[v_one.n])::tbx.count_delta];
    else
        select array_agg(x.job_id), array_agg(x.group_id), array_agg(x.depth), array_agg(x.n) into v_jobs, v_groups, v_depths, v_counts
        from (
            select d.job_id, d.group_id, d.depth, count(*)::int as n from unnest(p_done) d
            where p_has_subtasks is null or not p_has_subtasks[d.n] group by 1, 2, 3
        ) x;
        select array_agg((x.job_id, 0, -x.n, x.n, 0, x.n, x.run_us, x.cpu_us)::tbx.count_delta) into v_after.counts
        from (
            select d.job_id, count(*)::int as n, sum(p_run_us[d.n]) as run_us, sum(p_cpu_us[d.n]) as cpu_us
            from unnest(p_done) d group by 1
        ) x;
        if cardinality(p_done) > 1 then
            select bool_or(d.optional_id is not null), bool_or(d.limit_id is not null) into v_optional, v_limited from unnest(p_done) d;
        end if;
    end if;
    if v_optional then
        perform tbx.guard_jobs(array(select d.job_id from unnest(p_done) d where d.optional_id is not null), false);
    end if;
    if p_has_subtasks is not null then
        if p_stale then
            select array_agg(d order by x.n) into v_parents
            from unnest(p_has_subtasks) with ordinality x(has, n) left join unnest(p_done) d on d.n = x.n where x.has;
        else
            select array_agg(d order by d.n) into v_parents from unnest(p_done) d where p_has_subtasks[d.n];
        end if;
        v_closed := tbx.closed(v_parents, v_optional);
        v_group_ids := array(select nextval('tbx.group_id') from generate_series(1, cardinality(p_family.group_open)));
        v_after.runnable := tbx.insert_family(p_now,
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
        v_after.counts := v_after.counts || array(
            select ((v_parents[g.parent]).job_id,
                sum(g.open) filter (where v_closed[g.parent] <> 's'), 0, 0,
                sum(g.open) filter (where v_closed[g.parent] = 's'), 0, 0, 0)::tbx.count_delta
            from unnest(p_family.group_parent, p_family.group_open) g(parent, open)
            where (v_parents[g.parent]).job_id is not null group by (v_parents[g.parent]).job_id
        );
    end if;
    if p_results is not null then
        insert into tbx.task_results (job_id, task_id, result)
        select d.job_id, d.id, p_results[d.n] from unnest(p_done) d where p_results[d.n] is not null;
    end if;
    if v_jobs is not null then
        v_after.runnable := v_after.runnable || tbx.settle(p_now, v_jobs, v_groups, v_depths, v_counts);
    end if;
    if v_limited or array_position(v_after.runnable, row(0, 0, 0)::tbx.runnable) is not null then
        v_after.runnable := tbx.leave_limits(v_after.runnable, p_done);
    end if;
    return v_after;
end $$;
