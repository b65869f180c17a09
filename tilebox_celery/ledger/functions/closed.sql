-- closed: what becomes of subtasks of these parents: s skipped (an optional task above has failed), p parked (the
-- job is canceled), - runnable. Locks: the optional roots by id, shared, so that a failure of one of them either sees
-- the subtasks or is seen; canceled jobs, shared.
create or replace function tbx.closed(p_parents tbx.finished[])
returns "char"[] language plpgsql as $$
declare
    v_canceled bigint[];
    v_skipped bigint[] := '{}';
begin
    v_canceled := tbx.canceled_jobs(array(select distinct q.job_id from unnest(p_parents) q where q.job_id is not null));
    if exists (select 1 from unnest(p_parents) q where q.optional_id is not null) then
        v_skipped := array(
            select t.id from (
                select t.id, t.skip_subtree from tbx.tasks t
                where (t.job_id, t.id) in (select q.job_id, q.optional_id from unnest(p_parents) q where q.optional_id is not null)
                order by t.job_id, t.id for share
            ) t where t.skip_subtree
        );
    end if;
    return array(
        select case when q.optional_id = any (v_skipped) then 's' when q.job_id = any (v_canceled) then 'p' else '-' end::"char"
        from unnest(p_parents) with ordinality q order by q.ordinality
    );
end $$;
