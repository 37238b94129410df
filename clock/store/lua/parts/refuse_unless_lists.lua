-- Checks that the keys KEYS[from] and later, such as KEYS[6], are lists or missing, and that the user may push to them,
-- before anything is written. Returns nil or an error.
local function refuse_unless_lists(from)
  for place = from, #KEYS do
    need('LPUSH', KEYS[place], '')
    local kind = redis.call('TYPE', KEYS[place]).ok
    if kind ~= 'list' and kind ~= 'none' then return redis.error_reply('WRONGTYPE ' .. KEYS[place] .. ' is no list') end
  end
end
