-- claim_and_count: the second half of a call of a slot: hold the wake-up protocol's locks for what was just made
-- runnable, claim the next batch, count it, and wake idle slots for the rest. p_token is the slot that a wake-up
-- named: another slot took it, so it goes back to idle.
-- Locks: clusters of the new tasks by id, shared; then as claim; then idle slots (skipping locked ones).
create or replace function tbx.claim_and_count(
    p_slot bigint, p_token bigint, p_claim uuid, p_cursor bigint, p_want int, p_share int, p_cap_routes int[], p_caps int[],
    p_runnable tbx.runnable[]
) returns setof tbx.step language plpgsql as $$
declare
    v_steps tbx.step[] := '{}';
    v_claimed int := 0;
begin
    if p_token <> p_slot then
        update tbx.slots set state = 'idle', woken_at = null where id = p_token and state = 'woken';
    end if;
    if cardinality(p_runnable) > 0 then
        perform tbx.hold_clusters(p_runnable);
    end if;
    if p_want > 0 then
        v_steps := array(select s from tbx.claim(p_slot, p_claim, p_cursor, p_want, p_share, p_cap_routes, p_caps) s);
        insert into tbx.job_counts as c (job_id, shard, queued, running)
        select s.job_id, p_slot % 8, -count(*), count(*) from unnest(v_steps) s where s.kind = 't' group by 1 order by 1
        on conflict (job_id, shard) do update set queued = c.queued + excluded.queued, running = c.running + excluded.running;
        get diagnostics v_claimed = row_count;
        if v_claimed > 0 then
            select count(*) into v_claimed from unnest(v_steps) s where s.kind = 't';
        end if;
        return query select * from unnest(v_steps);
    end if;
    if cardinality(p_runnable) > 0 then
        return query select * from tbx.wake(p_runnable, p_slot, v_claimed);
    end if;
end $$;
