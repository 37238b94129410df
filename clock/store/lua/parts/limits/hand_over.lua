-- Gives the free places of the limit `name` to its blocked jobs, in their order. Such a job holds its places from then
-- on, and goes to the front of its queue: by the caller if `lists` has the queue (name -> key; it gets the jobs in
-- `lists.freed`, a list for each key), else to `freed`: a worker moves it from there. A job that another of its limits
-- holds back moves to the blocked jobs of that one. A job of a paused queue goes back without places: the others must
-- not wait for it. At most 100 jobs in one call: a few ms. Returns how many were moved.
local function hand_over(K, name, now, lists)
  local function first_full(rules)
    for _, limit in ipairs(rules.limits) do
      if limit_is_full(K, limit) then return limit.name end
    end
  end

  local function to_queue(queue, turn, payload)
    local list = lists and lists[queue]
    if list and not has_failed(redis.pcall('LLEN', list)) then
      lists.freed[list] = lists.freed[list] or {}
      table.insert(lists.freed[list], payload)
      return true
    end
    local is_freed = not has_failed(redis.pcall('ZADD', K.freed, turn, payload))
    -- The channel `clock:nearer` wakes the workers that move delayed jobs.
    if is_freed then redis.pcall('PUBLISH', (string.gsub(K.freed, 'freed$', 'nearer')), '') end
    return is_freed
  end

  local function reserve(rules, jid)
    local since = string.format('%.0f', now)
    for _, limit in ipairs(rules.limits) do
      redis.pcall('ZADD', K.holders, 0, limit.name .. '\n' .. jid .. '|queue|' .. since)
      places_of(K, limit.name).count = places_of(K, limit.name).count + 1
    end
    if #rules.limits > 0 then redis.pcall('ZADD', K.reserved, since, jid) end
    K.has_reserved = true
  end

  local moved = 0
  while moved < 100 do
    local found = redis.pcall('ZRANGEBYLEX', K.blocked, '[' .. name .. '\n', '(' .. name .. '\v', 'LIMIT', 0, 1)
    local turn, queue, payload = string.match(found[1] or '', '^[^\n]*\n(%d+)\n([^\n]*)\n(.*)$')
    if not turn then break end
    local jid = jid_of(payload)
    local rules = jid and rules_of(payload) or { limits = {} }
    local full = first_full(rules)
    if full == name then break end
    local is_paused = redis.pcall('SISMEMBER', K.paused, queue) == 1
    if full and not is_paused then
      redis.call('ZADD', K.blocked, 0, full .. '\n' .. turn .. '\n' .. queue .. '\n' .. payload)
    elseif to_queue(queue, turn, payload) then
      if not is_paused then reserve(rules, jid) end
    else
      break
    end
    redis.call('ZREM', K.blocked, found[1])
    moved = moved + 1
  end
  return moved
end
