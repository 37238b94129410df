-- Whether another release with a higher rank leads. `lease` is the key of the lease, `release` this clock's release
-- ('': none, which is never outranked), `rank` the rank of it. A lease without a rank has the lowest one.
local function is_outranked(lease, release, rank)
  if release == '' then return false end
  local leader = redis.pcall('HMGET', lease, 'release', 'rank')
  return leader[1] and leader[1] ~= release and (tonumber(leader[2]) or -1) > tonumber(rank)
end
