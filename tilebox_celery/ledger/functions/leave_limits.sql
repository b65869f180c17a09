-- leave_limits: the last step of a call that ended tasks: they give up their places under limits, and the oldest held
-- tasks get what is free, also those that this call put under a limit (marked in p_runnable by route 0).
-- Gives p_runnable without the mark and with what became ready. Locks: the limit rows by (job, id), then as promote.
create or replace function tbx.leave_limits(p_runnable tbx.runnable[], p_done tbx.finished[])
returns tbx.runnable[] language plpgsql as $$
declare
    v_mark constant tbx.runnable := row(0, 0, 0);
    v_jobs bigint[];
    v_limits bigint[];
begin
    if array_position(p_runnable, v_mark) is not null then
        v_jobs := array(select distinct d.job_id from unnest(p_done) d);
    elsif not exists (select 1 from unnest(p_done) d where d.limit_id is not null) then
        return p_runnable;
    end if;
    v_limits := array(
        select l.id from tbx.job_limits l
        where (l.job_id, l.id) in (select d.job_id, d.limit_id from unnest(p_done) d where d.limit_id is not null)
            or (l.job_id = any (v_jobs) and exists (
                select 1 from tbx.tasks t where t.job_id = l.job_id and t.limit_id = l.id and t.phase = 'h'))
        order by l.job_id, l.id for update
    );
    update tbx.job_limits l set active = l.active - x.n
    from (select d.job_id, d.limit_id, count(*)::int as n from unnest(p_done) d where d.limit_id is not null group by 1, 2) x
    where l.job_id = x.job_id and l.id = x.limit_id;
    return array_remove(p_runnable, v_mark)
        || tbx.promote(array(select distinct d.job_id from unnest(p_done) d), v_limits);
end $$;
