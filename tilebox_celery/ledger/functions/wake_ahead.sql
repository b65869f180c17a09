-- wake_ahead: a slot idle -> woken for a task that is still to be submitted, so that it is on its way meanwhile. It
-- promises nothing: submit looks whether the slot is still awake, and a slot that finds nothing goes back to sleep.
-- The connection remembers it, so that submit can follow without waiting for the answer.
-- Runners that listen get a NOTIFY; for another one the caller publishes a message. Slot null: none is idle.
-- Locks: an idle slot, skipping locked ones.
create or replace function tbx.wake_ahead(p_route int, out slot_id bigint, out runner_id bigint, out by_message boolean)
language plpgsql as $$
declare
    v_now timestamptz := tbx.now();
    v_commit text := set_config('synchronous_commit', 'off', true);
begin
    update tbx.slots s set state = 'woken', woken_at = v_now
    from (
        select s.id, r.wake_by = 'broker' or coalesce(r.broker_until > v_now, false) as by_message
        from tbx.routes o join tbx.slots s on s.cluster_id = o.cluster_id
            join tbx.runners r on r.id = s.runner_id join tbx.leases l on l.slot_id = s.id
        where o.id = p_route and s.state = 'idle' and l.until > v_now and r.state = 'live' and r.wake_by <> 'none'
            and o.id = any (r.routes)
        limit 1 for update of s skip locked
    ) picked
    where s.id = picked.id returning s.id, s.runner_id, picked.by_message into slot_id, runner_id, by_message;
    perform set_config('tbx.ahead', coalesce(slot_id::text, ''), false);
    if not by_message then
        perform pg_notify('tbx_' || runner_id, slot_id::text);
    end if;
end $$;
