--- :CloudOps and its subcommands.
local M = {}

---@type table<string, fun(args: string[])>
local subcommands = {
  chat = function(args)
    require('cloudops.chat').open(table.concat(args, ' '))
  end,
  conversations = function(args)
    require('cloudops.conversations').open(table.concat(args, ' '))
  end,
  scan = function()
    require('cloudops.scan').run()
  end,
  approvals = function()
    require('cloudops.approvals').open()
  end,
}

---@return string[]
local function names()
  local list = vim.tbl_keys(subcommands)
  table.sort(list)
  return list
end

---@param args string[]
function M.run(args)
  local subcommand = subcommands[args[1] or '']
  if not subcommand then
    require('cloudops.server').notify(
      (args[1] and ('no command "%s"; '):format(args[1]) or '') .. 'try :CloudOps ' .. table.concat(names(), ', '),
      vim.log.levels.ERROR
    )
    return
  end
  subcommand(vim.list_slice(args, 2))
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  if line:match('^%s*%S*CloudOps!?%s+%S*$') == nil then
    return {}
  end
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, names())
end

return M
