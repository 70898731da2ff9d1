--- :CloudOps conversations
local M = {}

--- A conversation as one line of a list.
---@param c table
---@return string
local function item(c)
  local title = c.title ~= '' and c.title or 'a conversation without a message'
  local labels = type(c.labels) == 'table' and #c.labels > 0 and (' [' .. table.concat(c.labels, ', ') .. ']') or ''
  local at = c.updated_at:sub(1, 16):gsub('T', ' ')
  -- Two of one title differ in their id.
  local line = ('%s%s, %d messages, %s, %s'):format(title, labels, c.messages, at, c.id:sub(1, 8))
  return require('cloudops.text').line(line)
end

--- Lists the conversations, or those that have all the words, and goes on with
--- the one that is picked.
---@param words string "" for all
function M.open(words)
  local server = require('cloudops.server')
  local method, params = 'cloudops/conversation/list', {}
  if words ~= '' then
    method, params = 'cloudops/conversation/search', { query = words, limit = 100 }
  end
  server.request(method, params, function(result, problem)
    if problem then
      server.notify('conversations: ' .. problem, vim.log.levels.ERROR)
      return
    end
    local list = type(result.conversations) == 'table' and result.conversations or {}
    if #list == 0 then
      local none = words == '' and 'no conversation yet; begin one with :CloudOps chat'
      server.notify(none or 'no conversation has all of these words')
      return
    end
    vim.ui.select(list, {
      prompt = 'Conversations',
      kind = 'cloudops.conversations',
      format_item = item,
    }, function(c)
      if c then
        require('cloudops.chat').continue(c.id)
      end
    end)
  end)
end

return M
