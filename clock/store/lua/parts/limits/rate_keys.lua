-- Returns a table of the keys of rates, which are KEYS[at] and those that follow it:
-- `rates`: hash, name -> "full|line|late|held|counted", times in ms. `full`: when the bucket will be full again;
--   `line`: the last slot that was given to a job; `late`: the last slot that was given to a job that had missed its
--   first slot; `held`: no job starts before; `counted`: until then the last start under a rate with `window` counts
-- `starts`: sorted set, all scores 0: "name\nms\nworker#number#n": starts under a rate with `window`
-- `slots`: sorted set: jid -> slot (ms) of a job that waits for it in `schedule`
-- `schedule`: sorted set of delayed jobs
-- `worker` claims the jobs; `states` is what this call knows of each name, `started` the members of `starts`
-- that `save_rates` adds.
local function rate_keys(at, worker)
  local keys = { rates = KEYS[at], starts = KEYS[at + 1], slots = KEYS[at + 2], schedule = KEYS[at + 3] }
  keys.states, keys.started, keys.worker = {}, {}, worker
  return keys
end
