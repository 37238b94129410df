-- Part of every script that calls `refuse_unless_hashes`. Not a script itself. Returns nil, or an error for the caller.
--
-- Checks that the keys at these `places` of KEYS, such as KEYS[1], are hashes or missing, before anything is written.
local function refuse_unless_hashes(places)
  for _, place in ipairs(places) do
    local kind = redis.call('TYPE', KEYS[place]).ok
    if kind ~= 'hash' and kind ~= 'none' then
      return redis.error_reply('WRONGTYPE the key ' .. KEYS[place] .. ' holds a ' .. kind .. ' and not a hash')
    end
  end
end

