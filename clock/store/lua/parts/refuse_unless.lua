-- Checks, before anything is written, that the keys at these `places` of KEYS, such as KEYS[1], are missing or of this
-- `kind`, such as 'hash'. Returns nil, or an error for the caller.
local function refuse_unless(kind, places)
  for _, place in ipairs(places) do
    local found = redis.call('TYPE', KEYS[place]).ok
    if found ~= kind and found ~= 'none' then
      return redis.error_reply('WRONGTYPE the key ' .. KEYS[place] .. ' holds a ' .. found .. ' and not a ' .. kind)
    end
  end
end
