-- report_progress: what a running task says of its progress; the last attempt counts. False: the claim is stale.
create or replace function tbx.report_progress(
    p_claim uuid, p_job bigint, p_task bigint, p_labels text[], p_totals bigint[], p_dones bigint[]
) returns boolean language plpgsql as $$
begin
    perform 1 from tbx.tasks t
    where t.job_id = p_job and t.id = p_task and t.claim_id = p_claim and t.slot_id is not null for share;
    if not found then
        return false;
    end if;
    delete from tbx.task_progress g where g.job_id = p_job and g.task_id = p_task and not g.label = any (p_labels);
    insert into tbx.task_progress as g (job_id, task_id, label, total, done)
    select p_job, p_task, x.label, x.total, x.done from unnest(p_labels, p_totals, p_dones) x(label, total, done)
    on conflict (job_id, task_id, label) do update set total = excluded.total, done = excluded.done;
    return true;
end $$;
