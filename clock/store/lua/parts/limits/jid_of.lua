-- The jid of a payload, or nil. Our own payloads that were pushed in bulk have it last, so these need not be decoded.
local function jid_of(payload)
  local jid = string.match(payload, '"jid":"(%x+)"}$', -33) -- 24 digits
  if jid then return jid end
  local is_json, job = pcall(cjson.decode, payload)
  jid = is_json and type(job) == 'table' and job.jid
  return (type(jid) == 'string' or type(jid) == 'number') and tostring(jid) or nil
end
