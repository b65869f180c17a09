-- signal: a row of an answer that has only a kind.
create or replace function tbx.signal(p_kind "char") returns tbx.step language plpgsql immutable as $$
begin
    return row(p_kind, null, null, null, null, null, null, null, null, null, null, null)::tbx.step;
end $$;
