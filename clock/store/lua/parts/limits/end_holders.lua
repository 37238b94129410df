-- Part of every script that calls `end_holders`. Not a script itself: it has no KEYS[1]. Returns nothing.
--
-- Frees the places of jobs that leave the jobs in progress `hash`, by their `numbers` and `entries`, and hands them
-- over. An entry is "queue\npayload" or the payload. If it is false, another script has freed the places.
local function end_holders(K, hash, numbers, entries, lists)
  local worker = '\n' .. string.match(hash, 'clock:in_progress:(.*)$') .. '#'
  local members, names = {}, {}
  for i, number in ipairs(numbers) do
    local entry = entries[i]
    local first = entry and string.byte(entry) ~= 123 and string.find(entry, '\n', 1, true) or 0 -- 123: {
    local rules = entry and rules_of(entry, first + 1)
    for _, limit in ipairs(rules and rules.limits or {}) do
      members[#members + 1] = limit.name .. worker .. number
      names[limit.name] = true
    end
  end
  if #members == 0 then return end
  local removed = 0
  in_chunks(members, function(...)
    local count = redis.pcall('ZREM', K.holders, ...)
    removed = removed + (type(count) == 'number' and count or 0)
  end)
  if removed == 0 or redis.pcall('EXISTS', K.blocked) ~= 1 then return end
  for name in pairs(names) do hand_over(K, name, now_ms(), lists) end
end

