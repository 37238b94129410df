-- Returns a table of the six keys of batches, which start at KEYS[first]:
-- hash of batches: bid -> JSON    sorted set of children, all with score 0: "bid/state/jid"; state p: pending,
-- s: done, f: ended otherwise    hash of the latter: "bid/jid" -> how it ended and its class
-- sorted set of entries to be removed later: "s:bid" (its children), "a:bid" (all of it) -> when (ms)
-- sorted set of delayed jobs    channel that notifies workers of a job that is due soon
local function batch_keys(first)
  return {
    batches = KEYS[first],
    children = KEYS[first + 1],
    ended = KEYS[first + 2],
    removals = KEYS[first + 3],
    schedule = KEYS[first + 4],
    nearer = KEYS[first + 5],
  }
end
