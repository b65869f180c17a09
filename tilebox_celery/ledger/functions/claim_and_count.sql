-- claim_and_count: the second half of a call of a slot: claim the next batch, add everything to the counts, and wake
-- idle slots for what became runnable and was not claimed. p_token is the slot that a wake-up named: another slot
-- took it, so it goes back to idle, or is woken anew (return_token). While something is to be published the slot does
-- not go idle, so that no call ever waits for a cluster while it holds another one alone.
-- Locks: the guards of the slot and of the token's, shared, by id; as claim; clusters by id, shared; count rows of this slot's shard by job; the
-- token's slot (with its cluster alone, without waiting) and idle slots, skipping locked ones.
create or replace function tbx.claim_and_count(
    p_slot bigint, p_token bigint, p_claim uuid, p_cursor bigint, p_want int, p_share int, p_cap_routes int[], p_caps int[],
    p_runnable tbx.runnable[], p_counts tbx.count_delta[]
) returns tbx.step[] language plpgsql as $$
declare
    v_guard boolean := pg_advisory_xact_lock_shared(7415, (least(p_slot, p_token) % 2147483647)::int) is null;
    v_guard_2 boolean := p_token <> p_slot
        and pg_advisory_xact_lock_shared(7415, (greatest(p_slot, p_token) % 2147483647)::int) is null;
    v_steps tbx.step[] := '{}';
    v_left tbx.runnable[];
    v_first tbx.runnable;
    v_first_step tbx.step;
    v_shard smallint := p_slot % 8;
    v_claimed int;
    v_count tbx.count_delta;
begin
    if p_want > 0 then
        v_steps := tbx.claim(p_slot, p_claim, p_cursor, p_want, p_share, p_cap_routes, p_caps,
            coalesce(cardinality(p_runnable), 0) = 0);
    end if;
    if cardinality(p_runnable) > 0 then
        v_first := p_runnable[1];
        if cardinality(p_runnable) > 1 or v_first.n > (
            select count(*) from unnest(v_steps) s where s.job_id = v_first.job_id and s.route_id = v_first.route_id
        ) then
            v_left := array(  -- by route what is not in our own hands
                select (0, x.route_id, sum(x.n))::tbx.runnable from (
                    select r.route_id, r.n from unnest(p_runnable) r
                    union all
                    select s.route_id, -1 from unnest(v_steps) s where s.kind = 't'
                ) x group by x.route_id having sum(x.n) > 0
            );
            perform tbx.hold_clusters(v_left);
        end if;
    end if;
    v_claimed := case when v_steps[1].kind = 't' then cardinality(v_steps) - (v_steps[cardinality(v_steps)].kind = 'j')::int else 0 end;
    if cardinality(p_counts) > 1 or v_steps[1].job_id <> v_steps[cardinality(v_steps)].job_id
        or v_claimed > 0 and v_steps[1].job_id <> p_counts[1].job_id then
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
    elsif v_claimed > 0 or p_counts is not null then  -- all of one job: the same without sorting
        v_count := p_counts[1];
        insert into tbx.job_counts as c (job_id, shard, queued, running, computed, skipped, attempts, run_us, cpu_us)
        values (coalesce(v_count.job_id, v_steps[1].job_id), v_shard, coalesce(v_count.queued, 0) - v_claimed,
            coalesce(v_count.running, 0) + v_claimed, coalesce(v_count.computed, 0), coalesce(v_count.skipped, 0),
            coalesce(v_count.attempts, 0), coalesce(v_count.run_us, 0), coalesce(v_count.cpu_us, 0))
        on conflict (job_id, shard) do update set queued = c.queued + excluded.queued, running = c.running + excluded.running,
            computed = c.computed + excluded.computed, skipped = c.skipped + excluded.skipped,
            attempts = c.attempts + excluded.attempts, run_us = c.run_us + excluded.run_us, cpu_us = c.cpu_us + excluded.cpu_us;
    end if;
    if p_token <> p_slot then
        v_first_step := v_steps[1];
        if v_first_step.kind in ('t', 'a') then
            v_steps := v_steps || array(select w from tbx.return_token(p_token) w);
        else  -- nobody publishes, and nothing is ready
            update tbx.slots s set state = 'idle', woken_at = null
            where s.id = (select k.id from tbx.slots k where k.id = p_token and k.state = 'woken' for update skip locked);
        end if;
    end if;
    if cardinality(v_left) > 0 then
        return v_steps || array(select w from tbx.wake(v_left, p_slot) w);
    end if;
    return v_steps;
end $$;
