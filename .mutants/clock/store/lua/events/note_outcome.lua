-- Record the outcome of a run of a firing's job, and note whether the job will run again.
--
-- KEYS[1] stream of outcomes    KEYS[2] hash of the event's watched jobs: jid -> due (ms), and its score in `retry`
-- KEYS[3] stream of the event's history    KEYS[4] hash old name of an event -> its name now
-- ARGV[1] jid    ARGV[2] the outcome, JSON    ARGV[3] how many outcomes are kept
-- ARGV[4] the job's score in `retry`, '' if it has ended    ARGV[5] the event
-- Returns '' if it was recorded, or if the event has no history, because it was forgotten. Else the event's present
-- name: the caller records it under that.
--
-- One script, because a job that runs on after its event was forgotten must not leave a stream behind.
if ARGV[4] == '' then
  redis.pcall('HDEL', KEYS[2], ARGV[1])
else
  local due = redis.pcall('HGET', KEYS[2], ARGV[1])
  if type(due) == 'string' then
    redis.call('HSET', KEYS[2], ARGV[1], string.match(due, '^[^ ]*') .. ' ' .. ARGV[4])
  end
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  local now = redis.pcall('HGET', KEYS[4], ARGV[5])
  return type(now) == 'string' and now or ''
end
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', 'entry', ARGV[2])
return ''
