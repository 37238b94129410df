-- Frees places of jobs that left the jobs in progress of `K.worker`, and hands them over. `ended`: name -> how many had
-- the limit; the caller has removed so many entries. The caller calls `save_places`.
local function free_places(K, ended, lists)
  local freed = 0
  for name, count in pairs(ended) do
    local seen = places_of(K, name)
    local own = math.max(seen.own - count, 0)
    freed = freed + seen.own - own
    seen.own, seen.count = own, seen.count - (seen.own - own)
  end
  if freed == 0 or not K.has_blocked then return end
  for name in pairs(ended) do hand_over(K, name, now_ms(), lists) end
end
