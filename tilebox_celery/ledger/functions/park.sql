-- park: phase r, h, d -> p for up to p_count queued tasks of a canceled job; gives how many. When none is left
-- for a while the job needs no more parking. Locks: the job (shared, against a retry), tasks, skipping locked ones.
create or replace function tbx.park(p_job bigint, p_count int)
returns int language plpgsql as $$
declare
    v_canceled timestamptz;
    v_n int;
begin
    select j.canceled_at into v_canceled from tbx.jobs j where j.id = p_job for share;
    if v_canceled is null then
        return 0;
    end if;
    with picked as (
        select t.id from tbx.tasks t
        where t.job_id = p_job and t.phase in ('r', 'h', 'd') limit p_count for update skip locked
    )
    update tbx.tasks t set phase = 'p' from picked where t.job_id = p_job and t.id = picked.id;
    get diagnostics v_n = row_count;
    return v_n;
end $$;
