-- yield_slot: a slot leaves its loop although more may be runnable (so that its process can be recycled). It is woken at
-- once: only a claim may make a slot idle, since only a claim knows that nobody publishes meanwhile. Locks: the slot.
create or replace function tbx.yield_slot(p_slot bigint)
returns setof tbx.step language plpgsql as $$
declare
    v_slot record;
begin
    update tbx.slots s set state = case when r.wake_by = 'none' then 'idle' else 'woken' end, woken_at = tbx.now()
    from tbx.runners r
    where s.id = p_slot and s.state = 'busy' and r.id = s.runner_id
    returning s.id, s.runner_id, case when r.broker_until > tbx.now() then 'broker' else r.wake_by end as wake_by into v_slot;
    if v_slot.wake_by = 'notify' then
        perform pg_notify('tbx_' || v_slot.runner_id, v_slot.id::text);
    elsif v_slot.wake_by = 'broker' then
        return query select 'w'::"char", v_slot.id, v_slot.runner_id, null::bigint, null::int, null::int, null::int,
            null::int, null::timestamptz, null::bytea, null::text, null::uuid;
    end if;
end $$;
