-- Part of every script that calls `rules_of`. Not a script itself: it has no KEYS[1]. Returns nil, or a table:
-- `limits` (`name`, `max`) and `rates` (`name`, `count`, `per` in ms, `weight`, `window`).
--
-- Reads the limits and rates of the payload that starts at `first`. A job that has one of the two has the field
-- "limits", so the search for its name is all that other jobs cost. Our own payloads have these fields first, so
-- the same text is decoded once in a call. Invalid entries of another program are left out.
local read_rules = {} -- the start of a payload -> its rules, or false: they do not end there
local LIMITS, RATES = '{"limits":[', ',"rates":['
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
  local rules = { limits = {}, rates = {} }
  for _, limit in ipairs(job.limits) do add_rule(rules.limits, limit, { 'max' }) end
  if type(job.rates) == 'table' then
    for _, rate in ipairs(job.rates) do add_rule(rules.rates, rate, { 'count', 'per', 'weight' }) end
  end
  return rules
end

local function rules_of(text, first)
  local at = first or 1 -- the start of the payload
  if string.sub(text, at, at + #LIMITS - 1) == LIMITS then
    local stop = string.find(text, ']', at + #LIMITS, true) or 0
    local has_rates = string.sub(text, stop + 1, stop + #RATES) == RATES
    if has_rates then stop = string.find(text, ']', stop + #RATES + 1, true) or 0 end
    local start = string.sub(text, at, stop + 8) -- with the name of the next field: it is not "rates"
    local known = read_rules[start]
    if known == nil then
      known = decode_rules(string.sub(text, at, stop) .. '}') or false
      read_rules[start] = known
    end
    if known and (has_rates or not string.find(text, 'rates":[{', stop, true)) then return known end
  elseif not string.find(text, 'limits"', at, true) then
    return nil
  end
  return decode_rules(string.sub(text, at))
end
