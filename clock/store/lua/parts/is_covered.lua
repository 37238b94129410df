-- Whether the pause `text` (JSON), or one of its earlier pauses, covers the instant `due` (ms). Raises an error
-- if the text is not a pause.
local function is_covered(text, due)
  local function covers(period)
    return due >= period['from'] and not (type(period['until']) == 'number' and due >= period['until'])
  end
  local latest = cjson.decode(text)
  if covers(latest) then return true end
  for _, period in ipairs(latest['earlier'] or {}) do
    if covers(period) then return true end
  end
  return false
end
