-- end_failed: RUNNING -> FAILED, which cancels the job; or, below an optional task, RUNNING -> FAILED_OPTIONAL, with
-- QUEUED -> SKIPPED for whatever else waits in that task's subtree. The caller holds the tasks.
-- Locks: jobs by id, optional roots by (job, id), the tasks below them, limits, then as settle.
create or replace function tbx.end_failed(p_now timestamptz, p_failed tbx.finished[], p_shard int)
returns tbx.runnable[] language plpgsql as $$
declare
    v_runnable tbx.runnable[] := '{}';
    v_task tbx.finished;
    v_skipped tbx.finished[];
    v_all tbx.finished[];
    v_optional boolean;
begin
    perform set_config('synchronous_commit', 'on', true);  -- a failure ends the job: durable
    foreach v_task in array p_failed loop
        v_optional := v_task.optional_id is not null;
        update tbx.tasks t
        set state = case when v_optional then 'FAILED_OPTIONAL' else 'FAILED' end::tbx.task_state, claim_id = null, slot_id = null
        where t.job_id = v_task.job_id and t.id = v_task.id;
        insert into tbx.job_counts as c (job_id, shard, failed, failed_optional)
        values (v_task.job_id, p_shard, (not v_optional)::int, v_optional::int)
        on conflict (job_id, shard) do update
        set failed = c.failed + excluded.failed, failed_optional = c.failed_optional + excluded.failed_optional;
        v_all := array[v_task];
        if not v_optional then
            update tbx.jobs j set canceled_at = p_now, cancel_reason = 'failure', parking = true
            where j.id = v_task.job_id and j.canceled_at is null;
        elsif v_task.optional_id <> v_task.id then
            v_skipped := tbx.skip_subtree(v_task.job_id, v_task.optional_id, p_shard);
            v_all := v_all || v_skipped;
        end if;
        if v_optional then
            v_runnable := v_runnable || tbx.settle(p_now,
                array(select a.job_id from unnest(v_all) a), array(select a.group_id from unnest(v_all) a),
                array(select a.depth from unnest(v_all) a), array_fill(1, array[cardinality(v_all)]));
        end if;
        if v_task.limit_id is not null then
            v_runnable := v_runnable || tbx.leave_limits(array[v_task]);
        end if;
    end loop;
    return v_runnable;
end $$;
