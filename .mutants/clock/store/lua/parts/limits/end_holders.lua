-- Part of every script that calls `end_holders`. Not a script itself: it has no KEYS[1]. Returns how many had no place.
--
-- Frees the places of jobs that leave the jobs in progress `hash`, by their numbers, and hands them over. A place that
-- another script has freed is not freed again, nor handed over.
local function end_holders(K, hash, numbers, lists)
  local worker, places, members, missing = string.match(hash, 'clock:in_progress:(.*)$'), {}, {}, 0
  for i, number in ipairs(numbers) do places[i] = worker .. '#' .. number end
  in_chunks(places, function(...)
    local found = redis.pcall('HMGET', K.places, ...)
    for i = 1, select('#', ...) do
      if not found[i] then missing = missing + 1 end
      for member in string.gmatch(found[i] or '', '[^%z]+') do members[#members + 1] = member end
    end
  end)
  in_chunks(members, function(...) redis.pcall('ZREM', K.holders, ...) end)
  if #members > 0 then in_chunks(places, function(...) redis.pcall('HDEL', K.places, ...) end) end
  if #members > 0 and redis.pcall('EXISTS', K.blocked) == 1 then
    local done = {}
    for _, member in ipairs(members) do
      local name = string.match(member, '^[^\n]*')
      if not done[name] then hand_over(K, name, now_ms(), lists) end
      done[name] = true
    end
  end
  return missing
end

