-- skip_subtree: QUEUED -> SKIPPED for every waiting task below an optional task; tasks that still run there may end,
-- and find the subtree skipped. Locks: the optional root, then the tasks below it.
create or replace function tbx.skip_subtree(p_job bigint, p_root bigint, p_shard int)
returns tbx.finished[] language plpgsql as $$
declare
    v_skipped tbx.finished[];
    v_ready tbx.finished[];
begin
    perform 1 from tbx.tasks t where t.job_id = p_job and t.id = p_root for update;
    with recursive below as (
        select t.id, t.optional from tbx.tasks t where t.job_id = p_job and t.id = p_root
        union all
        select t.id, t.optional from below b join tbx.tasks t on t.job_id = p_job and t.parent_id = b.id
    ), dead as (
        update tbx.tasks t set skip_subtree = true from below b
        where t.job_id = p_job and t.id = b.id and b.optional and t.state <> 'QUEUED'
    ), locked as (
        select t.id, t.phase from tbx.tasks t
        where t.job_id = p_job and t.id in (select b.id from below b where b.id <> p_root) and t.state = 'QUEUED'
        order by t.id for update
    ), skipped as (
        update tbx.tasks t set state = 'SKIPPED', phase = '-' from locked l
        where t.job_id = p_job and t.id = l.id
        returning t.id, t.group_id, t.depth, t.optional_id, t.limit_id, l.phase
    )
    select array_agg((0, p_job, s.id, s.group_id, s.depth, s.optional_id, s.limit_id)::tbx.finished),
        array_agg((0, p_job, s.id, s.group_id, s.depth, s.optional_id, s.limit_id)::tbx.finished)
            filter (where s.phase in ('r', 'd') and s.limit_id is not null)
    into v_skipped, v_ready from skipped s;
    if v_ready is not null then
        perform tbx.leave_limits(v_ready);
    end if;
    insert into tbx.job_counts as c (job_id, shard, queued, skipped)
    values (p_job, p_shard, -coalesce(cardinality(v_skipped), 0), coalesce(cardinality(v_skipped), 0))
    on conflict (job_id, shard) do update set queued = c.queued + excluded.queued, skipped = c.skipped + excluded.skipped;
    return coalesce(v_skipped, '{}');
end $$;
