-- return_token: a wake-up named this slot, and another one took it: woken -> idle. As a slot that goes idle itself, only
-- while nobody publishes and nothing is ready for its runner; otherwise it is woken anew, or it would sleep beside a
-- task whose publisher saw it woken. Locks: the slot, skipping a locked one; the cluster, without waiting.
create or replace function tbx.return_token(p_token bigint)
returns setof tbx.step language plpgsql as $$
declare
    v_slot record;
begin
    select s.id, s.runner_id, r.routes, pg_try_advisory_xact_lock(7411, s.cluster_id) as alone,
        case when r.broker_until > tbx.now() then 'broker' else r.wake_by end as wake_by into v_slot
    from tbx.slots s join tbx.runners r on r.id = s.runner_id
    where s.id = p_token and s.state = 'woken' for update of s skip locked;
    if v_slot.id is null then
        return;
    end if;
    if v_slot.alone then
        update tbx.slots s set state = 'idle', woken_at = null
        where s.id = p_token and not exists (  -- a statement of its own: it sees what was published before the lock
            select 1 from unnest(v_slot.routes) r(id)
            cross join lateral (select 1 from tbx.tasks t where t.route_id = r.id and t.phase = 'r' limit 1) x
        );
        if found then
            return;
        end if;
    end if;
    update tbx.slots s set woken_at = tbx.now() where s.id = p_token;
    if v_slot.wake_by = 'notify' then
        perform pg_notify('tbx_' || v_slot.runner_id, p_token::text);
    elsif v_slot.wake_by = 'broker' then
        return query select 'w'::"char", p_token, v_slot.runner_id, null::bigint, null::int, null::int, null::int,
            null::int, null::timestamptz, null::bytea, null::text, null::uuid;
    end if;
end $$;
