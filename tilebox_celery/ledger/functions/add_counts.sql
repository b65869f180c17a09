-- add_counts: add what a call counted to one row for each job. Nobody waits for another lock while he holds one of
-- these. Locks: count rows of one shard, by job.
create or replace function tbx.add_counts(p_shard bigint, p_tallies tbx.tally[])
returns void language plpgsql as $$
begin
    insert into tbx.job_counts as c
        (job_id, shard, queued, running, failed, failed_optional, skipped, attempts, run_us, cpu_us)
    select t.job_id, p_shard, sum(t.queued), sum(t.running), sum(t.failed), sum(t.failed_optional), sum(t.skipped),
        sum(t.attempts), sum(t.run_us), sum(t.cpu_us)
    from unnest(p_tallies) t group by t.job_id order by t.job_id
    on conflict (job_id, shard) do update set queued = c.queued + excluded.queued, running = c.running + excluded.running,
        failed = c.failed + excluded.failed, failed_optional = c.failed_optional + excluded.failed_optional,
        skipped = c.skipped + excluded.skipped, attempts = c.attempts + excluded.attempts,
        run_us = c.run_us + excluded.run_us, cpu_us = c.cpu_us + excluded.cpu_us;
end $$;
