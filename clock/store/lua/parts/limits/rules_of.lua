-- Reads the limits and rates of the payload that starts at `first`. A job that has one of the two has the field
-- "limits", so the search for its name is all that other jobs cost. Our own payloads have these fields first, so the
-- same text is decoded once in a call, and compared if the job before had it. Invalid entries of another program are
-- left out. Returns nil, or a table: `limits` (`name`, `max`) and `rates` (`name`, `count`, `per` in ms, `weight`,
-- `window`). Payloads with the same rules at their start have the same table; a payload whose rules are elsewhere has a
-- table for itself.
local read_rules = {} -- the start of a payload up to the end of its rules -> these, or false: they do not end there
local latest, latest_rules = nil, nil -- the start of the latest payload with rules that are known, and these
local length, may_have_rates = 0, false -- of such a payload: the length of this start; whether rates may follow
local LIMITS, RATES = '{"limits":[', ',"rates":['
local function add_rule(list, entry, fields)
  if type(entry) ~= 'table' or type(entry.name) ~= 'string' or string.find(entry.name, '%c') then return end
  if entry.weight == nil then entry.weight = 1 end
  for _, field in ipairs(fields) do
    if type(entry[field]) ~= 'number' or entry[field] < (field == 'max' and 0 or 1) then return end
  end
  for _, other in ipairs(list) do
    if other.name == entry.name then return end
  end
  entry.window = entry.window == true
  if #fields > 1 then -- a rate
    entry.weight = math.min(entry.weight, entry.count)
    if entry.window then entry.weight = math.min(entry.weight, 100) end -- it has a member for each start
    entry.step = entry.per * entry.weight / entry.count -- ms until the bucket has as many tokens again
  end
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

-- A local name is faster, and this runs for each job. Lua hashes each new text, also a text that `sub` returns, so a
-- search is faster than `sub` and a comparison.
local find, sub = string.find, string.sub
local function has_rates(text, from)
  return find(text, '[{', from, true) and find(text, 'rates":[{', from, true)
end

local function rules_at_start(text) -- of a payload of ours, up to the end of its rules
  local known = read_rules[text]
  if known ~= nil then return known end
  local name, max = string.match(text, '^{"limits":%[{"name":"([^"\\%c]*)","max":(%d+)}%]$')
  if name then -- usual, and faster
    known = { limits = { { name = name, max = tonumber(max) } }, rates = {} }
  else
    known = decode_rules(text .. '}') or false
  end
  read_rules[text] = known
  return known
end

-- Whether the payload has the rules that `rules_of` returned last; the caller must know that it returned some. Returns
-- false, too, if a "[{" follows them: rates of another program may be there.
local function has_latest_rules(payload)
  return find(payload, latest, 1, true) == 1 and not (may_have_rates and find(payload, '[{', length, true))
end

local function rules_of(text, first)
  local at = first or 1 -- the start of the payload
  if latest and find(text, latest, at, true) == at and not (may_have_rates and has_rates(text, at + length)) then
    return latest_rules
  end
  local field = find(text, 'limits"', at, true)
  if not field then return nil end
  if field == at + 2 and sub(text, at, at + #LIMITS - 1) == LIMITS then
    local stop = find(text, ']', at + #LIMITS, true) or 0
    local with_rates = sub(text, stop + 1, stop + #RATES) == RATES
    if with_rates then stop = find(text, ']', stop + #RATES + 1, true) or 0 end
    local known = rules_at_start(sub(text, at, stop))
    if known then
      latest, latest_rules = sub(text, at, stop + 8), known -- with the name of the next field: it is not "rates"
      length, may_have_rates = #latest, not known.rates[1]
    end
    if known and (with_rates or not has_rates(text, stop)) then return known end
  end
  return decode_rules(sub(text, at))
end
