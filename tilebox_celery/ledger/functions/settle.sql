-- settle: the upward walk. Tasks with nothing below them left the count of their groups; a group that has settled
-- unblocks its dependents and, when it was the last of its family, takes its parent out of the parent's group.
-- Input: (job, group, depth, tasks) of what settled. Locks, deepest level first: groups by (job, id), dependent
-- groups by (job, id), their tasks, families by (job, parent); then the level above.
create or replace function tbx.settle(
    p_now timestamptz, p_jobs bigint[], p_groups bigint[], p_depths int[], p_counts int[]
) returns tbx.runnable[] language plpgsql as $$
declare
    v_jobs bigint[] := p_jobs; v_groups bigint[] := p_groups; v_depths int[] := p_depths; v_counts int[] := p_counts;
    v_depth int;
    v_settled tbx.task_groups[];
    v_open tbx.task_groups[];
    v_result tbx.runnable[] := '{}';
    v_done bigint[];
begin
    if cardinality(p_jobs) = 1 then
        return tbx.settle_one(p_now, p_jobs[1], p_groups[1], p_counts[1]);
    end if;
    while cardinality(v_jobs) > 0 loop
        select max(d) into v_depth from unnest(v_depths) d;
        if cardinality(v_jobs) = 1 then
            return v_result || tbx.settle_one(p_now, v_jobs[1], v_groups[1], v_counts[1]);
        else
            perform 1 from tbx.task_groups g
            where (g.job_id, g.id) in (select x.j, x.g from unnest(v_jobs, v_groups, v_depths) x(j, g, d) where x.d = v_depth)
            order by g.job_id, g.id for update;
        end if;
        with hit as (
            update tbx.task_groups g set open = g.open - x.n
            from (
                select s.j, s.g, sum(s.n)::int as n from unnest(v_jobs, v_groups, v_depths, v_counts) s(j, g, d, n)
                where s.d = v_depth group by 1, 2
            ) x
            where g.job_id = x.j and g.id = x.g returning g.*
        )
        select array_agg(h::tbx.task_groups) into v_settled from hit h where h.open = 0;
        if v_depth = 0 and v_settled is null then
            exit;  -- the roots: nothing above them
        end if;
        select array_agg(x.j), array_agg(x.g), array_agg(x.d), array_agg(x.n) into v_jobs, v_groups, v_depths, v_counts
        from unnest(v_jobs, v_groups, v_depths, v_counts) x(j, g, d, n) where x.d < v_depth;
        continue when v_settled is null;
        if exists (select 1 from unnest(v_settled) s where s.has_dependents) then
            v_result := v_result || tbx.unblock(v_settled);
        end if;
        if exists (select 1 from unnest(v_settled) s where s.family_size > 1) then
            perform 1 from tbx.families f
            where (f.job_id, f.parent_id) in (
                select s.job_id, coalesce(s.parent_id, 0) from unnest(v_settled) s where s.family_size > 1)
            order by f.job_id, f.parent_id for update;
            with hit as (
                update tbx.families f set open = f.open - x.n
                from (
                    select s.job_id, coalesce(s.parent_id, 0) as parent_id, count(*)::int as n
                    from unnest(v_settled) s where s.family_size > 1 group by 1, 2
                ) x
                where f.job_id = x.job_id and f.parent_id = x.parent_id returning f.job_id, f.parent_id, f.open
            )
            select array_agg(s::tbx.task_groups) into v_settled
            from (
                select distinct on (s.job_id, s.parent_id) s.* from unnest(v_settled) s
                left join hit h on h.job_id = s.job_id and h.parent_id = coalesce(s.parent_id, 0)
                where s.family_size = 1 or h.open = 0
                order by s.job_id, s.parent_id
            ) s;
            continue when v_settled is null;
        end if;
        if v_depth = 0 then
            select array_agg(distinct s.job_id order by s.job_id) into v_done from unnest(v_settled) s;
            perform set_config('synchronous_commit', 'on', true);  -- the end of a job is durable
            update tbx.jobs set finished_at = p_now where id = any (v_done);
            exit;
        end if;
        select v_jobs || array_agg(s.job_id), v_groups || array_agg(s.parent_group_id),
            v_depths || array_agg(s.depth - 1), v_counts || array_agg(1)
        into v_jobs, v_groups, v_depths, v_counts
        from unnest(v_settled) s;
    end loop;
    return v_result;
end $$;
