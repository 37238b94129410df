-- The first instant at which a rate allows a start. If that is not after `now`, it allows a start now. A rate is a
-- bucket of `count` tokens that fills up in `per` ms (GCRA); with `window`, the starts of the last `per` ms are
-- counted. Returns a time in ms.
local ROUNDING = 0.01 -- ms: the state has 3 decimals
local function earliest_start(R, rate, state, now)
  if not rate.window then
    local at = (state.full > now and state.full or now) + rate.step - rate.per - ROUNDING
    return at > state.held and at or state.held
  end
  local low, high = '[' .. rate.name .. '\n', '(' .. rate.name .. '\v'
  if state.counted_per ~= rate.per then -- once in a call: `now` is the same
    save_starts(R)
    redis.pcall('ZREMRANGEBYLEX', R.starts, low, '(' .. rate.name .. string.format('\n%020.3f~', now - rate.per))
    local count = redis.pcall('ZLEXCOUNT', R.starts, low, high)
    state.starts, state.counted_per = type(count) == 'number' and count or 0, rate.per
  end
  local over = state.starts + rate.weight - rate.count
  if over <= 0 then return math.max(state.held, now) end
  save_starts(R)
  local last = redis.pcall('ZRANGEBYLEX', R.starts, low, high, 'LIMIT', over - 1, 1)[1]
  return math.max(state.held, tonumber(string.match(last or '', '^[^\n]*\n([%d.]+)') or now) + rate.per)
end
