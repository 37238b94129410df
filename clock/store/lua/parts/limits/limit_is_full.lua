-- Whether a limit has no free place. A key of a wrong type limits nothing: no job may be lost or stuck because of it.
local function limit_is_full(K, limit)
  local seen = places_of(K, limit.name)
  return seen.count >= (seen.max or limit.max)
end
