-- fail: RUNNING -> QUEUED while retries are left (at once, for any runner), else RUNNING -> FAILED or, below an
-- optional task, RUNNING -> FAILED_OPTIONAL. In a canceled job nothing is retried. Stale claims change nothing (kind
-- s). p_delay_us: a wait before the retry (null: none). p_final: no retry, whatever is left.
-- Locks: tasks by (job, id), then as end_failed.
create or replace function tbx.fail(
    p_slot bigint, p_claim uuid, p_jobs bigint[], p_tasks bigint[], p_start_us bigint[], p_run_us bigint[],
    p_cpu_us bigint[], p_rss bigint[], p_displays text[], p_errors text[], p_delay_us bigint[], p_final boolean[]
) returns setof tbx.step language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_runner bigint := (select s.runner_id from tbx.slots s where s.id = p_slot);
    v_canceled bigint[] := tbx.canceled_jobs(p_jobs);
    v_failed tbx.finished[] := '{}';
    v_runnable tbx.runnable[] := '{}';
    v_task record;
    v_again boolean;
begin
    for v_task in
        select x.n, t.* from unnest(p_jobs, p_tasks) with ordinality x(j, i, n)
        left join tbx.tasks t on t.job_id = x.j and t.id = x.i and t.claim_id = p_claim and t.state = 'RUNNING'
        order by x.j, x.i
    loop
        if v_task.id is not null then
            perform 1 from tbx.tasks t where t.job_id = v_task.job_id and t.id = v_task.id
                and t.claim_id = p_claim and t.state = 'RUNNING' for update;
        end if;
        if v_task.id is null or not found then
            return query select 's'::"char", p_jobs[v_task.n], p_tasks[v_task.n], null::bigint, null::int, null::int,
                null::int, null::int, null::timestamptz, null::bytea, null::text, null::uuid;
            continue;
        end if;
        v_again := v_task.retries < v_task.max_retries and not v_task.job_id = any (v_canceled)
            and not coalesce(p_final[v_task.n], false);
        insert into tbx.attempts (job_id, task_id, attempt, claim_id, runner_id, slot_id, claimed_at, started_at,
            finished_at, outcome, cpu_us, peak_rss, error)
        values (v_task.job_id, v_task.id, v_task.attempt, p_claim, v_runner, p_slot, v_task.claimed_at,
            v_task.claimed_at + p_start_us[v_task.n] * interval '1 microsecond',
            v_task.claimed_at + (p_start_us[v_task.n] + p_run_us[v_task.n]) * interval '1 microsecond',
            'failed', p_cpu_us[v_task.n], p_rss[v_task.n], left(p_errors[v_task.n], 65536));
        insert into tbx.job_counts as c (job_id, shard, running, queued, attempts, run_us, cpu_us)
        values (v_task.job_id, p_slot % 8, -1, v_again::int, 1, p_run_us[v_task.n], p_cpu_us[v_task.n])
        on conflict (job_id, shard) do update set running = c.running - 1, queued = c.queued + excluded.queued,
            attempts = c.attempts + 1, run_us = c.run_us + excluded.run_us, cpu_us = c.cpu_us + excluded.cpu_us;
        if v_again then
            update tbx.tasks t set state = 'QUEUED', retries = t.retries + 1, claim_id = null, slot_id = null,
                phase = case when p_delay_us[v_task.n] > 0 then 'd' else 'r' end::"char",
                run_after = v_now + p_delay_us[v_task.n] * interval '1 microsecond',
                display = coalesce(left(p_displays[v_task.n], 1024), t.display)
            where t.job_id = v_task.job_id and t.id = v_task.id;
            if coalesce(p_delay_us[v_task.n], 0) <= 0 then
                v_runnable := v_runnable || (v_task.job_id, v_task.route_id, 1)::tbx.runnable;
            end if;
        else
            update tbx.tasks t set display = coalesce(left(p_displays[v_task.n], 1024), t.display)
            where t.job_id = v_task.job_id and t.id = v_task.id and p_displays[v_task.n] is not null;
            v_failed := v_failed || (v_task.n, v_task.job_id, v_task.id, v_task.group_id, v_task.depth,
                v_task.optional_id, v_task.limit_id)::tbx.finished;
        end if;
    end loop;
    if cardinality(v_failed) > 0 then
        v_runnable := v_runnable || tbx.end_failed(v_now, v_failed, (p_slot % 8)::int);
    end if;
    if cardinality(v_runnable) > 0 then
        perform tbx.hold_clusters(v_runnable);
        return query select * from tbx.wake(v_runnable, p_slot, 0);
    end if;
end $$;
