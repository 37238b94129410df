-- Part of every script that calls `has_failed`. Not a script itself: it has no KEYS[1]. Returns true or false.
--
-- Whether the reply of `redis.pcall` is an error.
local function has_failed(reply) return type(reply) == 'table' and reply.err ~= nil end

