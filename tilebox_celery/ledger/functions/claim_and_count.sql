-- claim_and_count: the second half of a call of a slot: claim the next batch, add everything to the counts, and wake
-- idle slots for what became runnable and was not claimed. p_token is the slot that a wake-up named: another slot
-- took it, so it goes back to idle. While something is to be published the slot does not go idle, so that no call
-- ever waits for a cluster while it holds another one alone.
-- Locks: as claim; count rows of this slot's shard by job; clusters by id, shared; then idle slots.
create or replace function tbx.claim_and_count(
    p_slot bigint, p_token bigint, p_claim uuid, p_cursor bigint, p_want int, p_share int, p_cap_routes int[], p_caps int[],
    p_runnable tbx.runnable[], p_counts tbx.count_delta[]
) returns tbx.step[] language plpgsql as $$
declare
    v_steps tbx.step[] := '{}';
    v_claimed int := 0;
    v_first tbx.runnable;
    v_shard smallint := p_slot % 8;
begin
    if p_token <> p_slot then
        update tbx.slots set state = 'idle', woken_at = null where id = p_token and state = 'woken';
    end if;
    if p_want > 0 then
        v_steps := tbx.claim(p_slot, p_claim, p_cursor, p_want, p_share, p_cap_routes, p_caps,
            coalesce(cardinality(p_runnable), 0) = 0);
    end if;
    insert into tbx.job_counts as c (job_id, shard, queued, running, computed, skipped, attempts, run_us, cpu_us)
    select x.job_id, v_shard, sum(x.queued), sum(x.running), sum(x.computed), sum(x.skipped), sum(x.attempts), sum(x.run_us), sum(x.cpu_us)
    from (
        select s.job_id, -1 as queued, 1 as running, 0 as computed, 0 as skipped, 0 as attempts, 0 as run_us, 0 as cpu_us
        from unnest(v_steps) s where s.kind = 't'
        union all
        select d.* from unnest(p_counts) d
    ) x group by x.job_id order by x.job_id
    on conflict (job_id, shard) do update set queued = c.queued + excluded.queued, running = c.running + excluded.running,
        computed = c.computed + excluded.computed, skipped = c.skipped + excluded.skipped,
        attempts = c.attempts + excluded.attempts, run_us = c.run_us + excluded.run_us, cpu_us = c.cpu_us + excluded.cpu_us;
    if coalesce(cardinality(p_runnable), 0) = 0 then
        return v_steps;
    end if;
    v_first := p_runnable[1];
    if cardinality(p_runnable) = 1 and v_first.n <= cardinality(v_steps) and v_first.n <= (
        select count(*) from unnest(v_steps) s where s.job_id = v_first.job_id and s.route_id = v_first.route_id
    ) then
        return v_steps;  -- all of it is in our own hands
    end if;
    select count(*) into v_claimed from unnest(v_steps) s where s.kind = 't';
    perform tbx.hold_clusters(p_runnable);
    return v_steps || array(select w from tbx.wake(p_runnable, p_slot, v_claimed) w);
end $$;
