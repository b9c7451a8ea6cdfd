-- Each query of an append has one good plan, whatever the number of events: to plan each call again costs
-- more than a microsecond an event.

alter function tidemark.append(smallint, text[], text[], text[], text[], float8[], bigint[], text[])
  set plan_cache_mode = force_generic_plan;
