-- Calls `command` with at most 1000 items of `list` at a time: Lua's stack holds a few thousand.
local function in_chunks(list, command)
  for i = 1, #list, 1000 do command(unpack(list, i, math.min(i + 999, #list))) end
end
