-- Whether the reply of `redis.pcall` is an error.
local function has_failed(reply) return type(reply) == 'table' and reply.err ~= nil end
