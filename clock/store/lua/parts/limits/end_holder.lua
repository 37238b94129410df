-- Frees the places of a job that has left the jobs in progress of `K.worker`, by its entry, and hands them over.
local function end_holder(K, entry)
  local ended = {}
  count_limits(ended, entry)
  free_places(K, ended)
  save_places(K)
end
