-- Read a part of a list or a sorted set of payloads, and return those that hold some texts.
--
-- KEYS[1] the list or sorted set
-- ARGV[1] 'list', or 'zset' (lowest score first), or 'zrevset' (highest first)
-- ARGV[2] first index, ARGV[3] last index; of a list both from one end, as for LRANGE
-- ARGV[4], ... texts, all of which a payload must hold: '=' and a text as it is, or '~' and a text in upper or
-- lower case (of ASCII)
-- Returns how many were read, the bytes of the largest payload, the score of the last one ('' in a list), how many of
-- those read last share that score; then for each payload that holds the texts: the payload, its score (''), how many
-- were read up to it, how many of these, last, share its score.
--
-- One script, because payloads that do not match would otherwise travel to the caller. It changes nothing.
local kind, first, last = ARGV[1], ARGV[2], ARGV[3]
local page
if kind == 'list' then
  page = redis.call('LRANGE', KEYS[1], first, last)
else
  page = redis.call(kind == 'zset' and 'ZRANGE' or 'ZREVRANGE', KEYS[1], first, last, 'WITHSCORES')
end

local exact, any_case = {}, {}
for i = 4, #ARGV do
  local text = string.sub(ARGV[i], 2)
  if string.sub(ARGV[i], 1, 1) == '=' then exact[#exact + 1] = text else any_case[#any_case + 1] = string.lower(text) end
end

local function holds(payload, texts)
  for _, text in ipairs(texts) do
    if not string.find(payload, text, 1, true) then return false end
  end
  return true
end

local function holds_all(payload)
  return holds(payload, exact) and (#any_case == 0 or holds(string.lower(payload), any_case))
end

local step = kind == 'list' and 1 or 2
local reply, largest, score, alike = { #page / step, 0, '', 0 }, 0, '', 0
for i = 1, #page, step do
  local payload = page[i]
  if #payload > largest then largest = #payload end
  if step == 2 then
    alike = page[i + 1] == score and alike + 1 or 1
    score = page[i + 1]
  end
  if holds_all(payload) then
    reply[#reply + 1] = payload
    reply[#reply + 1] = score
    reply[#reply + 1] = (i - 1) / step + 1
    reply[#reply + 1] = alike
  end
end
reply[2], reply[3], reply[4] = largest, score, alike
return reply
