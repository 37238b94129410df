-- Part of every script that calls `save_places`. Not a script itself: it has no KEYS[1]. Returns nothing.
--
-- Writes the holders that this call has noted in `K.taken` and `K.at`: together, as that costs a fraction.
local function save_places(K)
  in_chunks(K.taken, function(...) redis.pcall('ZADD', K.holders, ...) end)
  in_chunks(K.at, function(...) redis.pcall('HSET', K.places, ...) end)
  K.taken, K.at = {}, {}
end

