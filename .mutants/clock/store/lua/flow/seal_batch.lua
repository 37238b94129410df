-- Seal a batch: no more jobs are expected. It is done when all its children have ended.
--
-- KEYS[1], ... the six keys of batches    ARGV[1] now (ms)    ARGV[2] bid
-- Returns the state that it had: 'open', 'sealed' or 'done'; '' if it is unknown.
--
-- One script, because the last child may end at the same time, and one of the two must push the callbacks.
return seal_batch(batch_keys(1), ARGV[2], tonumber(ARGV[1])) or ''
