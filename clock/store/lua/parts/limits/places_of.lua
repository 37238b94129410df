-- A limit as this call knows it, read once: `count` jobs hold a place, `own` of them are in progress at `K.worker`;
-- `saved` of these are noted in Redis, as the members `members`; `max` was set by hand. The first look at a limit sets
-- `K.has_maxima`, `K.has_reserved` and `K.has_blocked`: whether these keys exist. Usually none does.
local function look_at(K)
  local exist = redis.pcall('EXISTS', K.limits, K.reserved, K.blocked) ~= 0
  K.has_maxima = exist and redis.pcall('EXISTS', K.limits) == 1
  K.has_reserved = exist and redis.pcall('EXISTS', K.reserved) == 1
  K.has_blocked = exist and redis.pcall('EXISTS', K.blocked) == 1
end

local function places_of(K, name)
  local places = K.seen[name]
  if places then return places end
  if K.has_maxima == nil then look_at(K) end
  local max = K.has_maxima and tonumber(redis.pcall('HGET', K.limits, name))
  local count = K.has_reserved and redis.pcall('ZLEXCOUNT', K.holders, '[' .. name .. '\n', '(' .. name .. '\v')
  places = { count = type(count) == 'number' and count or 0, own = 0, members = {}, max = max }
  local found = redis.pcall('ZRANGEBYLEX', K.holders, '[' .. name .. '\v', '(' .. name .. '\f')
  for _, member in ipairs(found) do
    local worker, held = string.match(member, '^[^\v]*\v([^\v]*)\v(%d+)$')
    places.count = places.count + (tonumber(held) or 0)
    if worker and worker == K.worker then
      places.own = places.own + tonumber(held)
      table.insert(places.members, member)
    end
  end
  places.saved = places.own
  K.seen[name] = places
  return places
end
