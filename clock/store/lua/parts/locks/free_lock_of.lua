-- Frees the lock of a job that was removed, by its payload. Only unique jobs are decoded.
local function free_lock_of(locks, replaced, payload)
  if not may_have(payload, 'unique') then return end
  local is_json, job = pcall(cjson.decode, payload)
  local unique = is_json and type(job) == 'table' and job.unique
  if type(unique) == 'table' and type(unique.key) == 'string' and type(job.jid) == 'string' then
    free_lock(locks, replaced, unique.key, job.jid)
  end
end
