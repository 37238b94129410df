-- For commands that follow a change, such as the HSET after an RPOP: Redis takes no change back, so the job would be
-- lost, or be pushed again with each try. Redis before 7 cannot answer this: there the command fails when it runs.
-- Returns nothing, or ends the script with NOPERM if the user may not run a command.
local function need(command, ...)
  if redis.acl_check_cmd and not redis.acl_check_cmd(command, ...) then
    error({ err = "NOPERM this user has no permissions to run the '" .. string.lower(command) .. "' command" })
  end
end
