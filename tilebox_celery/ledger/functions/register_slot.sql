-- register_slot: a new slot of a runner, idle, or busy when the caller claims at once. Null: the runner is gone.
create or replace function tbx.register_slot(p_runner bigint, p_no int, p_pid int, p_lease interval, p_busy boolean)
returns bigint language sql as $$
    with slot as (
        insert into tbx.slots (runner_id, cluster_id, no, pid, state)
        select r.id, r.cluster_id, p_no, p_pid, case when p_busy then 'busy' else 'idle' end
        from tbx.runners r where r.id = p_runner and r.state <> 'gone'
        returning id
    )
    insert into tbx.leases (slot_id, until) select s.id, tbx.now() + p_lease from slot s returning slot_id
$$;
