-- skip_subtree: QUEUED -> SKIPPED for every waiting task below an optional task; tasks that still run there may end,
-- and find the subtree skipped. Gives what was skipped, with the limit of those that held a place under it.
-- The caller holds the job's guard alone. Locks: the tasks below by id. It never waits for one: a task that was just
-- claimed may be in the hands of a call that waits for the guard. Whoever holds a task that stays QUEUED ends soon.
create or replace function tbx.skip_subtree(p_job bigint, p_root bigint)
returns tbx.finished[] language plpgsql as $$
declare
    v_skipped tbx.finished[] := '{}';
    v_waiting bigint[];
    v_some tbx.finished[];
begin
    update tbx.tasks t set skip_subtree = true where t.job_id = p_job and t.id = p_root;
    loop
        with recursive below as (
            select t.id, t.state from tbx.tasks t where t.job_id = p_job and t.parent_id = p_root and t.optional_id is not null
            union all
            select t.id, t.state from below b
            join tbx.tasks t on t.job_id = p_job and t.parent_id = b.id and t.optional_id is not null
        )
        select array_agg(b.id order by b.id) into v_waiting from below b where b.state = 'QUEUED';
        exit when v_waiting is null;
        with locked as (
            select t.id, t.phase from tbx.tasks t
            where t.job_id = p_job and t.id = any (v_waiting) and t.state = 'QUEUED' order by t.id for update skip locked
        ), skipped as (
            update tbx.tasks t set state = 'SKIPPED', phase = '-' from locked l
            where t.job_id = p_job and t.id = l.id
            returning t.id, t.group_id, t.depth, t.optional_id, case when l.phase in ('r', 'd') then t.limit_id end as limit_id
        )
        select array_agg((0, p_job, s.id, s.group_id, s.depth, s.optional_id, s.limit_id)::tbx.finished) into v_some
        from skipped s;
        v_skipped := v_skipped || v_some;
        exit when cardinality(v_some) = cardinality(v_waiting);
        perform pg_sleep(0.001);
    end loop;
    return v_skipped;
end $$;
