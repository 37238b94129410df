-- Part of every script that calls `limit_keys`. Not a script itself: it has no KEYS[1]. Returns a table of keys.
--
-- The keys of concurrency limits, which are KEYS[at] and those that follow it:
-- `limits`: hash, name -> maximum that was set by hand
-- `holders`: sorted set, all scores 0: "name\njid|place|since": a job that counts against the limit. The place is
--   "worker#number" of a job in progress, or "queue" of a job that was blocked and has its place already
-- `blocked`: sorted set, all scores 0: "name\nturn\nqueue\npayload", in the order of their turns
-- `freed`: sorted set: payload -> turn; jobs that have their place and go to the front of their queue
-- `turn`: counter of blocked jobs
local function limit_keys(at)
  local limits, holders, blocked, freed, turn = unpack(KEYS, at, at + 4)
  return { limits = limits, holders = holders, blocked = blocked, freed = freed, turn = turn }
end

