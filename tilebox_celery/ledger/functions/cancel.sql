-- cancel: a job's queued tasks are not picked up any more; running ones may end. False: it has ended already.
-- park takes the ready tasks out of the way afterwards. Locks: the job.
create or replace function tbx.cancel(p_actor text, p_job bigint)
returns boolean language plpgsql as $$
begin
    update tbx.jobs j set canceled_at = tbx.now(), cancel_reason = 'user', parking = true
    where j.id = p_job and j.canceled_at is null and j.finished_at is null;
    if not found then
        return false;
    end if;
    insert into tbx.actions (job_id, at, actor, action) values (p_job, tbx.now(), p_actor, 'cancel');
    return true;
end $$;
