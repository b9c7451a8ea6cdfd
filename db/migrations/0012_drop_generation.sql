-- Drops a generation with all that is in it, unless it is the live one. Returns whether it did.
--
-- A session's first statement after a flip still locks the tables that its plan is about, those of the
-- generation that was live, before it finds the plan out of date: `checkpoints` first, as every statement.
-- To lock it first here too is what keeps the two from waiting for each other.
create or replace function tidemark.drop_generation(p_number int) returns boolean
language plpgsql
as $$
declare
  v_schema text := 'read_models_' || p_number;
begin
  delete from tidemark.generations where number = p_number and state <> 'live';
  if not found then
    return false;
  end if;
  execute format('lock table %I.checkpoints in access exclusive mode', v_schema);
  execute format('drop schema %I cascade', v_schema);
  return true;
end
$$;
