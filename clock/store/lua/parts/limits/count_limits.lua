-- Adds the limits of the job in an entry, "queue\npayload", to `counts`: name -> number of jobs. The queue's name may
-- start with any character; '' will do.
local function count_limits(counts, entry)
  local rules = rules_of(entry, (string.find(entry, '\n', 1, true) or 0) + 1)
  for _, limit in ipairs(rules and rules.limits or {}) do counts[limit.name] = (counts[limit.name] or 0) + 1 end
end
