-- Drops a generation and everything in it, unless it is the live one. Returns whether it did.
--
-- The first statement of a session after a flip locks the tables of its outdated plan, those of the
-- former live generation, before it finds the plan outdated. Like every statement, it locks
-- `checkpoints` first. Locking that table first here as well prevents a deadlock between the two.
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
