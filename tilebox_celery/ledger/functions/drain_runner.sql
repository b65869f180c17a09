-- drain_runner: a runner that claims nothing more (draining), or has left (gone). What a slot of a gone runner still
-- holds must have been given back before. Locks: the runner, its slots.
create or replace function tbx.drain_runner(p_runner bigint, p_gone boolean)
returns void language plpgsql as $$
begin
    update tbx.runners r set state = case when p_gone then 'gone' else 'draining' end,
        gone_at = case when p_gone then tbx.now() end
    where r.id = p_runner and r.state <> 'gone';
    if p_gone then
        update tbx.slots s set state = 'gone', woken_at = null
        where s.runner_id = p_runner and s.state <> 'gone'
            and not exists (select 1 from tbx.tasks t where t.slot_id = s.id and t.state = 'RUNNING');
    end if;
end $$;
