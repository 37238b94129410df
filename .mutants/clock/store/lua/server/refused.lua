-- Which of some commands this user may not run.
--
-- KEYS[1] none: no key is touched    ARGV[1] the commands, as MessagePack: a list of lists, each a command and the
-- arguments by which Redis finds its keys and channels
-- Returns the places of those that are refused, from 1. Redis before 7 cannot answer this: there the list is empty.
--
-- One script, because only a script can ask Redis what its user may do.
local refused = {}
if not redis.acl_check_cmd then return refused end
for place, command in ipairs(cmsgpack.unpack(ARGV[1])) do
  local is_known, may = pcall(redis.acl_check_cmd, unpack(command))
  if not (is_known and may) then refused[#refused + 1] = place end
end
return refused
