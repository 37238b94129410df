-- Part of every script that calls `fields_of`. Not a script itself: it has no KEYS[1]. Returns a table: name -> value.
--
-- Reads the fields `names` of the hash `key`. A missing field has no entry.
local function fields_of(key, names)
  local found, at = {}, 0
  in_chunks(names, function(...)
    for _, value in ipairs(redis.call('HMGET', key, ...)) do
      at = at + 1
      found[names[at]] = value or nil
    end
  end)
  return found
end

