-- Reads the fields `names` of the hash `key`. A missing field has no entry. Returns a table: name -> value.
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
