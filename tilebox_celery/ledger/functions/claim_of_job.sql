-- claim_of_job: the part of claim that takes tasks of one job.
create or replace function tbx.claim_of_job(
    p_now timestamptz, p_job bigint, p_routes int[], p_slot bigint, p_claim uuid, p_left int, p_share int,
    p_cap_routes int[], p_caps int[]
) returns tbx.step[] language plpgsql as $$
declare
    v_want int := p_left;
    v_steps tbx.step[];
    v_ready int;
    v_ids bigint[];
begin
    if p_share > 1 and p_left > 1 then
        select count(*) into v_ready from (
            select 1 from unnest(p_routes) r(id) cross join lateral (
                select 1 from tbx.tasks t
                where t.route_id = r.id and t.job_id = p_job and t.phase = 'r' limit p_left * p_share
            ) x limit p_left * p_share
        ) x;
        v_want := least(v_want, (v_ready + p_share - 1) / p_share);
    end if;
    if cardinality(p_routes) = 1 then
        v_want := least(v_want, coalesce(p_caps[array_position(p_cap_routes, p_routes[1])], 1));
        v_ids := array(
            select t.id from tbx.tasks t where t.route_id = p_routes[1] and t.job_id = p_job and t.phase = 'r'
            order by t.id limit v_want for update skip locked);
    else
        -- several routes: the oldest by id over all of them, as many as fill the batch's time
        v_ids := array(
            select x.id from (
                select x.id, sum(1.0 / coalesce(p_caps[array_position(p_cap_routes, r.id)], 1))
                    over (order by x.id rows between unbounded preceding and 1 preceding) as before
                from unnest(p_routes) r(id) cross join lateral (
                    select t.id from tbx.tasks t
                    where t.route_id = r.id and t.job_id = p_job and t.phase = 'r' order by t.id limit v_want
                ) x
            ) x where coalesce(x.before, 0) < 1 order by x.id limit v_want);
        v_ids := array(
            select t.id from tbx.tasks t where t.job_id = p_job and t.id = any (v_ids) and t.phase = 'r'
            order by t.id for update skip locked);
        if cardinality(v_ids) = 0 then  -- another slot holds just these: take the next of any route
            v_ids := array(
                select x.id from unnest(p_routes) r(id) cross join lateral (
                    select t.id from tbx.tasks t
                    where t.route_id = r.id and t.job_id = p_job and t.phase = 'r'
                    order by t.id limit 1 for update skip locked
                ) x);
        end if;
    end if;
    with taken as (
        update tbx.tasks t
        set state = 'RUNNING', phase = '-', claim_id = p_claim, slot_id = p_slot, claimed_at = p_now, attempt = t.attempt + 1
        where t.job_id = p_job and t.id = any (v_ids)
        returning t.*
    )
    select array_agg(('t', t.job_id, t.id, t.parent_id, t.route_id, t.attempt, t.crashes, t.retries, null, t.input,
        t.display, null)::tbx.step order by t.id)
    into v_steps from taken t;
    return v_steps;
end $$;
