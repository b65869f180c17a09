-- prune: delete up to p_count jobs that ended before p_before, with everything below them; gives the jobs' uuids. It
-- stops behind the job with which they have 20,000 tasks, so that no call is long but that of one large job.
-- Locks: the jobs, skipping locked ones.
create or replace function tbx.prune(p_before timestamptz, p_count int)
returns setof uuid language plpgsql as $$
declare
    v_jobs bigint[];
begin
    v_jobs := array(
        select j.id from tbx.jobs j where j.finished_at < p_before order by j.finished_at limit p_count for update skip locked);
    v_jobs := array(
        select x.id from (
            select j.id, sum(c.tasks) over (order by j.at) - c.tasks as before
            from unnest(v_jobs) with ordinality j(id, at) cross join lateral (
                select coalesce(sum(c.queued + c.running + c.computed + c.failed + c.failed_optional + c.skipped), 0) as tasks
                from tbx.job_counts c where c.job_id = j.id
            ) c
        ) x where x.before < 20000);
    delete from tbx.tasks t where t.job_id = any (v_jobs);
    delete from tbx.task_groups t where t.job_id = any (v_jobs);
    delete from tbx.group_edges t where t.job_id = any (v_jobs);
    delete from tbx.families t where t.job_id = any (v_jobs);
    delete from tbx.attempts t where t.job_id = any (v_jobs);
    delete from tbx.task_results t where t.job_id = any (v_jobs);
    delete from tbx.task_progress t where t.job_id = any (v_jobs);
    delete from tbx.job_counts t where t.job_id = any (v_jobs);
    delete from tbx.job_limits t where t.job_id = any (v_jobs);
    delete from tbx.actions t where t.job_id = any (v_jobs);
    return query delete from tbx.jobs j where j.id = any (v_jobs) returning j.uuid;
end $$;
