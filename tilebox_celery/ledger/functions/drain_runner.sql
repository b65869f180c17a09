-- drain_runner: a runner that claims nothing more (draining), or has left (gone). A slot that still holds tasks stays,
-- so that the sweep finds them when its lease ends.
-- Locks: the slots' guards, alone, by id; the runner, its slots, their leases.
create or replace function tbx.drain_runner(p_runner bigint, p_gone boolean)
returns void language plpgsql as $$
begin
    if p_gone then  -- a claim that is still under way ends first
        perform pg_advisory_xact_lock(7415, (x.id % 2147483647)::int)
        from (select s.id from tbx.slots s where s.runner_id = p_runner and s.state <> 'gone' order by s.id) x;
    end if;
    update tbx.runners r set state = case when p_gone then 'gone' else 'draining' end,
        gone_at = case when p_gone then tbx.now() end
    where r.id = p_runner and r.state <> 'gone';
    if p_gone then
        with empty as (
            update tbx.slots s set state = 'gone', woken_at = null
            where s.runner_id = p_runner and s.state <> 'gone'
                and not exists (select 1 from tbx.tasks t where t.slot_id = s.id and t.state = 'RUNNING')
            returning s.id
        )
        delete from tbx.leases l using empty e where l.slot_id = e.id;
    end if;
end $$;
