-- Writes how many places the worker's jobs in progress hold, for the limits that this call has changed.
local function save_places(K)
  local gone, new = {}, {}
  for name, seen in pairs(K.seen) do
    if seen.own ~= seen.saved then
      for _, member in ipairs(seen.members) do gone[#gone + 1] = member end
      seen.members = seen.own > 0 and { name .. '\v' .. K.worker .. '\v' .. seen.own } or {}
      for _, member in ipairs(seen.members) do
        new[#new + 1] = '0'
        new[#new + 1] = member
      end
      seen.saved = seen.own
    end
  end
  in_chunks(gone, function(...) redis.pcall('ZREM', K.holders, ...) end)
  in_chunks(new, function(...) redis.pcall('ZADD', K.holders, ...) end)
end
