-- Part of every script that calls `limit_keys`. Not a script itself: it has no KEYS[1]. Returns a table of keys.
--
-- The keys of concurrency limits, which are KEYS[at] and those that follow it:
-- `limits`: hash, name -> maximum that was set by hand
-- `holders`: sorted set, all scores 0: a job that counts against the limit: "name\nworker#number" of a job in progress,
--   or "name\njid|queue|since" of a job that was blocked and has its place already
-- `reserved`: sorted set: jid of a job of the second kind -> since when (ms)
-- `blocked`: sorted set, all scores 0: "name\nturn\nqueue\npayload", in the order of their turns
-- `freed`: sorted set: payload -> turn; jobs that have their place and go to the front of their queue
-- `turn`: counter of blocked jobs
-- `seen` is what this call knows of each name, `taken` the holders that `save_places` writes.
local function limit_keys(at)
  local limits, holders, reserved, blocked, freed, turn = unpack(KEYS, at, at + 5)
  local keys = { limits = limits, holders = holders, reserved = reserved, blocked = blocked, freed = freed }
  keys.turn, keys.seen, keys.taken = turn, {}, {}
  return keys
end

