-- Adds an entry to the history of an event, of which `length` are kept. Returns nothing, or a sentence about a key that
-- takes none. Its type is not asked before: for each event that would cost as much as all the rest.
local function add_record(key, length, entry)
  local added = redis.pcall('XADD', key, 'MAXLEN', '~', length, '*', 'entry', entry)
  if not has_failed(added) then return end
  local kind = redis.pcall('TYPE', key).ok or 'none'
  if kind == 'stream' or kind == 'none' then return 'the key ' .. key .. ' takes no entry: ' .. added.err end
  return 'the key ' .. key .. ' holds a ' .. kind .. ' and not a stream'
end
