-- Part of every script that calls `rules_of`. Not a script itself: it has no KEYS[1]. Returns nil, or a table:
-- `jid`, `limits` (`name`, `max`) and `rates` (`name`, `count`, `per` in ms, `weight`, `window`).
--
-- Reads the limits and rates of a payload. A job that has one of the two has the field "limits", so the search for its
-- name is all that other jobs cost. Our own payloads have these fields first, and the jid after them, or last if they
-- were pushed in bulk: so these need not be decoded. Invalid entries of another program are left out.
local read_rules = {} -- the JSON of rules -> the rules: most jobs of a call have the same
local function add_rule(list, entry, fields)
  if type(entry) ~= 'table' or type(entry.name) ~= 'string' or string.find(entry.name, '%c') then return end
  for _, field in ipairs(fields) do
    if type(entry[field]) ~= 'number' or entry[field] < (field == 'max' and 0 or 1) then return end
  end
  for _, other in ipairs(list) do
    if other.name == entry.name then return end
  end
  entry.window = entry.window == true
  if #fields > 1 then entry.weight = math.min(entry.weight, entry.count) end -- a rate
  list[#list + 1] = entry
end

local function decode_rules(text)
  local is_json, job = pcall(cjson.decode, text)
  if not is_json or type(job) ~= 'table' or type(job.limits) ~= 'table' then return nil end
  local rules = { limits = {}, rates = {}, jid = job.jid }
  for _, limit in ipairs(job.limits) do add_rule(rules.limits, limit, { 'max' }) end
  if type(job.rates) == 'table' then
    for _, rate in ipairs(job.rates) do add_rule(rules.rates, rate, { 'count', 'per', 'weight' }) end
  end
  return rules
end

local function rules_of(payload)
  local limits, at = string.match(payload, '^{"limits":(%b[]),()')
  if limits then
    local rates, after = string.match(payload, '^"rates":(%b[]),()', at)
    local jid = string.match(payload, '^"jid":"([^"\\]*)"', after or at)
    jid = jid or string.match(payload, '^"jid":"(%x+)"}$', -33) -- 24 digits
    local text = rates and limits .. rates or limits
    local known = jid and read_rules[text]
    if jid and not known then
      known = decode_rules('{"limits":' .. limits .. ',"rates":' .. (rates or '[]') .. '}')
      read_rules[text] = known
    end
    if known then return { jid = jid, limits = known.limits, rates = known.rates } end
  end
  if not limits and not string.find(payload, '"limits":', 1, true) then return nil end
  local rules = decode_rules(payload)
  return rules and type(rules.jid) == 'string' and rules or nil
end

