-- leave_limits: tasks that ended give their places under their limits to the oldest held tasks.
-- Locks: the limit rows by id, then the tasks that become ready.
create or replace function tbx.leave_limits(p_done tbx.finished[])
returns tbx.runnable[] language plpgsql as $$
declare
    v_jobs bigint[];
    v_limits bigint[];
begin
    perform 1 from tbx.job_limits l
    where (l.job_id, l.id) in (select d.job_id, d.limit_id from unnest(p_done) d where d.limit_id is not null)
    order by l.job_id, l.id for update;
    with hit as (
        update tbx.job_limits l set active = l.active - x.n
        from (select d.job_id, d.limit_id, count(*)::int as n from unnest(p_done) d where d.limit_id is not null group by 1, 2) x
        where l.job_id = x.job_id and l.id = x.limit_id returning l.job_id, l.id
    )
    select array_agg(h.job_id), array_agg(h.id) into v_jobs, v_limits from hit h;
    return tbx.promote(v_jobs, v_limits);
end $$;
