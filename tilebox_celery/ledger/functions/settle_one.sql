-- settle_one: settle for tasks of one group, the usual case: one row at each level, no sets.
-- Locks: as settle.
create or replace function tbx.settle_one(p_now timestamptz, p_job bigint, p_group bigint, p_count int)
returns tbx.runnable[] language plpgsql as $$
declare
    v_group tbx.task_groups;
    v_id bigint := p_group;
    v_count int := p_count;
    v_open int;
    v_result tbx.runnable[] := '{}';
begin
    loop
        update tbx.task_groups g set open = g.open - v_count where g.job_id = p_job and g.id = v_id returning g.* into v_group;
        exit when v_group.open > 0;
        if v_group.has_dependents then
            v_result := v_result || tbx.unblock_after(p_job, v_id);
        end if;
        if v_group.family_size > 1 then
            update tbx.families f set open = f.open - 1
            where f.job_id = p_job and f.parent_id = coalesce(v_group.parent_id, 0) returning f.open into v_open;
            exit when v_open > 0;
        end if;
        if v_group.parent_id is null then
            perform set_config('synchronous_commit', 'on', true);  -- the end of a job is durable
            update tbx.jobs set finished_at = p_now where id = p_job;
            exit;
        end if;
        v_id := v_group.parent_group_id;
        v_count := 1;
    end loop;
    return v_result;
end $$;
