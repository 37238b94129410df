-- Part of every script that calls `leave_places`. Not a script itself: it has no KEYS[1]. Returns how many were held.
--
-- Removes a job from the holders of its limits. It held them at `place`; another run of the same job keeps its own.
local function leave_places(K, rules, place)
  local removed = 0
  for _, limit in ipairs(rules.limits) do
    local holder = limit.name .. '\n' .. rules.jid .. '|' .. place
    local count = redis.pcall('ZREMRANGEBYLEX', K.holders, '[' .. holder .. '|', '(' .. holder .. '}')
    removed = removed + (type(count) == 'number' and count or 0)
  end
  return removed
end

