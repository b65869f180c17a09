-- closed: what becomes of subtasks of these parents: s skipped (something below an optional task above them has
-- failed), p parked (the job is canceled), - runnable. The caller holds the guards of jobs with optional tasks.
-- Locks: canceled jobs, shared.
create or replace function tbx.closed(p_parents tbx.finished[], p_any_optional boolean)
returns "char"[] language plpgsql as $$
declare
    v_canceled bigint[];
    v_skipped bigint[] := '{}';
begin
    v_canceled := tbx.canceled_jobs(array(select distinct q.job_id from unnest(p_parents) q where q.job_id is not null));
    if p_any_optional then
        v_skipped := array(
            with recursive above as (  -- the optional tasks at and above each parent
                select q.n, q.job_id, q.optional_id from unnest(p_parents) with ordinality
                    q(call_n, job_id, id, group_id, depth, optional_id, limit_id, n) where q.optional_id is not null
                union all
                select a.n, a.job_id, p.optional_id from above a
                join tbx.tasks o on o.job_id = a.job_id and o.id = a.optional_id
                join tbx.tasks p on p.job_id = o.job_id and p.id = o.parent_id
                where p.optional_id is not null
            )
            select a.n from above a join tbx.tasks o on o.job_id = a.job_id and o.id = a.optional_id where o.skip_subtree
        );
    end if;
    return array(
        select case when q.ordinality = any (v_skipped) then 's' when q.job_id = any (v_canceled) then 'p' else '-' end::"char"
        from unnest(p_parents) with ordinality q order by q.ordinality
    );
end $$;
