--- Makes text that others wrote fit to stand in a buffer or a message.
local M = {}

--- Characters that turn or hide the text around them.
local hidden = vim.regex('[\\u200b-\\u200f\\u2028-\\u202f\\u2060-\\u206f\\ufeff\\u061c\\u00ad]')

--- One line, without control, bidirectional and invisible characters.
---@param s any
---@return string
function M.line(s)
  s = tostring(s):gsub('%c', ' ')
  while true do
    local from, to = hidden:match_str(s)
    if not from then
      return s
    end
    s = s:sub(1, from) .. '?' .. s:sub(to + 1)
  end
end

return M
