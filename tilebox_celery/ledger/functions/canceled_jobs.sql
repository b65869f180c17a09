-- canceled_jobs: which of these jobs are canceled. A job that looks canceled is looked at again under a shared lock,
-- so that a retry which runs at the same time either sees what the caller parks, or is seen by the caller.
create or replace function tbx.canceled_jobs(p_jobs bigint[])
returns bigint[] language plpgsql as $$
declare
    v_jobs bigint[];
begin
    select array_agg(j.id order by j.id) into v_jobs from tbx.jobs j where j.id = any (p_jobs) and j.canceled_at is not null;
    if v_jobs is null then
        return '{}';
    end if;
    return array(
        select j.id from (
            select j.id, j.canceled_at from tbx.jobs j where j.id = any (v_jobs) order by j.id for share
        ) j where j.canceled_at is not null
    );
end $$;
