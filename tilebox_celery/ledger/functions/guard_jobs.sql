-- guard_jobs: a call that finishes tasks of optional subtrees shares this lock of their jobs; a call that skips such
-- a subtree, or retries the job, holds it alone. So the first either sees what the second skips, or is seen by it,
-- and neither meets the other's locks in the middle. Locks: the guards of the jobs by id.
create or replace function tbx.guard_jobs(p_jobs bigint[], p_alone boolean)
returns void language plpgsql as $$
declare
    v_job bigint;
begin
    for v_job in select distinct j from unnest(p_jobs) j where j is not null order by 1 loop
        if p_alone then
            perform pg_advisory_xact_lock(7416, (v_job % 2147483647)::int);
        else
            perform pg_advisory_xact_lock_shared(7416, (v_job % 2147483647)::int);
        end if;
    end loop;
end $$;
