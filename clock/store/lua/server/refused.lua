-- Which of some commands this user may not run.
--
-- KEYS[1] none: no key is touched    ARGV[1] the commands, as MessagePack: a list of lists, each a command and the
-- arguments by which Redis finds its keys and channels
-- Returns the places of those that are refused, from 1. Redis before 7 cannot answer this: there the list is empty.
--
-- Redis 8.6 refuses to check a command with too few arguments: empty ones are added until it answers.
--
-- One script, because only a script can ask Redis what its user may do.
local MOST_ADDED = 3 -- XADD needs three after its key
local refused = {}
if not redis.acl_check_cmd then return refused end
for place, command in ipairs(cmsgpack.unpack(ARGV[1])) do
  local is_known, may = pcall(redis.acl_check_cmd, unpack(command))
  for _ = 1, MOST_ADDED do
    if is_known then break end
    command[#command + 1] = ''
    is_known, may = pcall(redis.acl_check_cmd, unpack(command))
  end
  if not (is_known and may) then refused[#refused + 1] = place end
end
return refused
