-- task_ids: take a block of task ids. v[k + 1] + (n % 256) is the id of the n-th task, with k = n / 256.
-- The id is milliseconds << 20 plus a counter; a counter that runs over 20 bits carries into the milliseconds, so
-- that ids grow within the call.
create or replace function tbx.task_ids(p_now timestamptz, p_count int)
returns bigint[] language plpgsql as $$
declare
    v_first bigint := nextval('tbx.task_block');
    v_base bigint := ((extract(epoch from p_now) * 1000)::bigint << 20) - ((v_first & ~4095::bigint) << 8);
begin
    if p_count <= 256 then
        return array[v_base + (v_first << 8)];
    end if;
    return (array[v_base + (v_first << 8)])
        || array(select v_base + (nextval('tbx.task_block') << 8) from generate_series(1, (p_count - 1) / 256));
end $$;
