-- Calls `end_job`. If that fails, the job moves all the same, and `not_ended` has the first error for the caller.
-- Returns false then.
local not_ended = ''
local function try_end_job(keys, payload, status, now)
  local is_well, problem = pcall(end_job, keys, payload, status, now)
  if not is_well and not_ended == '' then not_ended = type(problem) == 'table' and problem.err or tostring(problem) end
  return is_well
end
