-- retry: FAILED -> QUEUED with fresh retries, and a canceled job goes on; places under limits are given anew, the
-- oldest first. Gives (tasks requeued) as kind n, and wake-ups. p_dry_run changes nothing.
-- Locks: the job's guard alone, the job, its tasks by id (claims that began before the cancel keep theirs), its
-- limits, the clusters, counts, idle slots.
create or replace function tbx.retry(p_actor text, p_job bigint, p_dry_run boolean)
returns setof tbx.step language plpgsql as $$
declare
    v_job tbx.jobs;
    v_n int;
    v_runnable tbx.runnable[];
begin
    perform tbx.guard_jobs(array[p_job], true);
    select j.* into v_job from tbx.jobs j where j.id = p_job for update;
    select count(*) into v_n from tbx.tasks t where t.job_id = p_job and t.state = 'FAILED' and v_job.finished_at is null;
    return query select 'n'::"char", p_job, null::bigint, null::bigint, null::int, v_n, null::int, null::int,
        null::timestamptz, null::bytea, null::text, null::uuid;
    if p_dry_run or v_job.finished_at is not null or (v_n = 0 and v_job.canceled_at is null) then
        return;
    end if;
    update tbx.jobs j set canceled_at = null, cancel_reason = null, parking = false where j.id = p_job;
    insert into tbx.actions (job_id, at, actor, action, detail) values (p_job, tbx.now(), p_actor, 'retry', v_n::text);
    with locked as (
        select t.id from tbx.tasks t
        where t.job_id = p_job and (t.state = 'FAILED' or t.phase = 'p' or (t.phase = 'r' and t.limit_id is not null))
        order by t.id for update skip locked
    )
    update tbx.tasks t set state = 'QUEUED', run_after = null,
        retries = case when t.state = 'FAILED' then 0 else t.retries end,
        crashes = case when t.state = 'FAILED' then 0 else t.crashes end,
        -- the last line of a failed task's display is its error
        display = case when t.state = 'FAILED' then nullif(regexp_replace(t.display, '\n[^\n]*$', ''), '') else t.display end,
        phase = case when t.limit_id is not null then 'h' else 'r' end::"char"
    from locked l where t.job_id = p_job and t.id = l.id;
    perform 1 from tbx.job_limits l where l.job_id = p_job order by l.id for update;
    update tbx.job_limits l set active = (
        select count(*) from tbx.tasks t where t.job_id = p_job and t.limit_id = l.id and (t.phase in ('r', 'd') or t.state = 'RUNNING'))
    where l.job_id = p_job;
    perform tbx.promote(array[p_job], array(select l.id from tbx.job_limits l where l.job_id = p_job));
    select array_agg((p_job, x.route_id, x.n)::tbx.runnable) into v_runnable
    from (select t.route_id, count(*)::int as n from tbx.tasks t where t.job_id = p_job and t.phase = 'r' group by 1) x;
    return query select * from tbx.publish(v_runnable, null, array[(p_job, v_n, 0, -v_n, 0, 0, 0, 0, 0)::tbx.tally]);
end $$;
