-- Part of every script that calls `limit_keys`. Not a script itself: it has no KEYS[1]. Returns a table of keys.
--
-- The keys of concurrency limits, which are KEYS[at] and those that follow it:
-- `limits`: hash, name -> maximum that was set by hand
-- `holders`: sorted set, all scores 0: "name\njid|place|since": a job that counts against the limit. The place is
--   "worker#number" of a job in progress, or "queue" of a job that was blocked and has its place already
-- `places`: hash, "worker#number" -> the members of `holders` of this job, with "\0" between them
-- `reserved`: sorted set: jid of a job with the place "queue" -> since when (ms)
-- `blocked`: sorted set, all scores 0: "name\nturn\nqueue\npayload", in the order of their turns
-- `freed`: sorted set: payload -> turn; jobs that have their place and go to the front of their queue
-- `turn`: counter of blocked jobs
-- `seen` is what this call knows of each name, `taken` and `at` are holders and places that `save_places` writes.
local function limit_keys(at)
  local limits, holders, places, reserved, blocked, freed, turn = unpack(KEYS, at, at + 6)
  local keys = { limits = limits, holders = holders, places = places, reserved = reserved }
  keys.blocked, keys.freed, keys.turn = blocked, freed, turn
  keys.seen, keys.taken, keys.at = {}, {}, {}
  return keys
end

