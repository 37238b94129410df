-- Part of every script that calls `rules_of`. Not a script itself: it has no KEYS[1]. Returns nil, or a table:
-- `jid`, `limits` (`name`, `max`) and `rates` (`name`, `count`, `per` in ms, `weight`, `window`).
--
-- Reads the limits and rates of a payload. A job that has one of the two has the field "limits", so the search for its
-- name is all that other jobs cost. Entries that another program wrote and that are not valid are left out.
local function rules_of(payload)
  if not string.find(payload, '"limits":', 1, true) then return nil end
  local is_json, job = pcall(cjson.decode, payload)
  if not is_json or type(job) ~= 'table' or type(job.limits) ~= 'table' or type(job.jid) ~= 'string' then return nil end
  local rules = { jid = job.jid, limits = {}, rates = {} }

  local function add(list, entry, fields)
    if type(entry) ~= 'table' or type(entry.name) ~= 'string' or string.find(entry.name, '%c') then return end
    for _, field in ipairs(fields) do
      if type(entry[field]) ~= 'number' or entry[field] < (field == 'max' and 0 or 1) then return end
    end
    for _, other in ipairs(list) do
      if other.name == entry.name then return end
    end
    entry.window = entry.window == true
    entry.weight = math.min(entry.weight or 1, entry.count or 1)
    list[#list + 1] = entry
  end

  for _, limit in ipairs(job.limits) do add(rules.limits, limit, { 'max' }) end
  if type(job.rates) == 'table' then
    for _, rate in ipairs(job.rates) do add(rules.rates, rate, { 'count', 'per', 'weight' }) end
  end
  return rules
end

