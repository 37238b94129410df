-- Open a batch, if it is not there yet.
--
-- KEYS[1], ... the six keys of batches
-- ARGV[1] now (ms)    ARGV[2] bid    ARGV[3] the batch, JSON: state, created, callbacks, fired, parent
-- ARGV[4] bid of its parent ('': none)
-- Returns its state: 'new', 'open', 'sealed' or 'done'; or 'no parent' if the parent is unknown or done.
--
-- One script, because the parent must not be done before it knows the batch.
local keys, now = batch_keys(1), tonumber(ARGV[1])
remove_batches(keys, now)
return open_batch(keys, ARGV[2], ARGV[3], ARGV[4])
