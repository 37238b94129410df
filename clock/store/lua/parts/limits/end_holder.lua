-- Part of every script that calls `end_holder`. Not a script itself: it has no KEYS[1]. Returns nothing.
--
-- Frees the places of a job that leaves the jobs in progress `hash`, and hands them over. `entry` is what the hash had
-- under its `number`. Only the script that takes the job out of the hash calls it, so a place is freed once.
local function end_holder(K, hash, number, entry, lists)
  local rules = rules_of(string.match(entry, '\n(.*)$') or entry)
  if not rules then return end
  local place = string.match(hash, 'clock:in_progress:(.*)$') .. '#' .. number
  if leave_places(K, rules, place) > 0 and redis.pcall('EXISTS', K.blocked) == 1 then
    for _, limit in ipairs(rules.limits) do hand_over(K, limit.name, now_ms(), lists) end
  end
end

