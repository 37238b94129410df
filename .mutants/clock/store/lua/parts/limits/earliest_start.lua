-- Part of every script that calls `earliest_start`. Not a script itself: it has no KEYS[1]. Returns a time in ms.
--
-- The first instant at which a rate allows a start; not after `now`: it allows one now. A rate is a bucket of `count`
-- tokens that fills up in `per` ms (GCRA); with `window`, the starts of the last `per` ms are counted.
local ROUNDING = 0.01 -- ms: the state has 3 decimals
local function earliest_start(K, rate, state, now)
  if not rate.window then
    return math.max(state.held, math.max(state.full, now) + rate.per * rate.weight / rate.count - rate.per - ROUNDING)
  end
  local low, high = '[' .. rate.name .. '\n', '(' .. rate.name .. '\v'
  redis.pcall('ZREMRANGEBYLEX', K.starts, low, '(' .. rate.name .. string.format('\n%020.3f~', now - rate.per))
  local count = redis.pcall('ZLEXCOUNT', K.starts, low, high)
  local over = (type(count) == 'number' and count or 0) + rate.weight - rate.count
  if over <= 0 then return math.max(state.held, now) end
  local last = redis.pcall('ZRANGEBYLEX', K.starts, low, high, 'LIMIT', over - 1, 1)[1]
  return math.max(state.held, tonumber(string.match(last or '', '^[^\n]*\n([%d.]+)') or now) + rate.per)
end

