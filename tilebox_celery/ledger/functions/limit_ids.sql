-- limit_ids: the ids of the named limits of each task's job, made when new; null for a task without one. The first
-- submission of a key decides its number.
create or replace function tbx.limit_ids(
    p_jobs bigint[], p_group_parent int[], p_task_group int[], p_keys text[], p_max int[]
) returns bigint[] language plpgsql as $$
begin
    insert into tbx.job_limits (job_id, key, max_running)
    select distinct on (1, 2) p_jobs[p_group_parent[t.grp]], t.key, t.max_running
    from unnest(p_task_group, p_keys, p_max) t(grp, key, max_running)
    where t.key is not null and p_jobs[p_group_parent[t.grp]] is not null
    order by 1, 2
    on conflict do nothing;
    return array(
        select l.id
        from unnest(p_task_group, p_keys) with ordinality t(grp, key, n)
        left join tbx.job_limits l on l.job_id = p_jobs[p_group_parent[t.grp]] and l.key = t.key
        order by t.n
    );
end $$;
