--- What the user sets in vim.g.cloudops. Accounts, policy and encryption are
--- not set here: they come from config.yaml, which no editor can widen.
---@class cloudops.Config
---@field cmd string[] the command that starts the server
---@field attach boolean whether files are attached to by themselves
---@field settings table hover.enabled, codeActions.enabled, readOnly

local M = {}

---@type cloudops.Config
local defaults = {
  cmd = { 'cloudops', 'lsp' },
  attach = true,
  settings = {},
}

---@param value any
---@return boolean
local function is_command(value)
  if type(value) ~= 'table' or #value == 0 then
    return false
  end
  for _, word in ipairs(value) do
    if type(word) ~= 'string' then
      return false
    end
  end
  return true
end

--- The configuration, and what is wrong with it; what is wrong has its default.
---@return cloudops.Config
---@return string[] problems
function M.get()
  local config = vim.deepcopy(defaults)
  local problems = {}
  local given = vim.g.cloudops
  if given == nil then
    return config, problems
  end
  if type(given) ~= 'table' then
    return config, { 'vim.g.cloudops must be a table' }
  end
  local valid = {
    cmd = { is_command, 'a list of words, such as { "cloudops", "lsp" }' },
    attach = { function(v) return type(v) == 'boolean' end, 'true or false' },
    settings = { function(v) return type(v) == 'table' end, 'a table' },
  }
  for name, value in pairs(given) do
    local check = valid[name]
    if not check then
      table.insert(problems, ('vim.g.cloudops.%s is unknown'):format(name))
    elseif not check[1](value) then
      table.insert(problems, ('vim.g.cloudops.%s must be %s'):format(name, check[2]))
    else
      config[name] = value
    end
  end
  table.sort(problems)
  return config, problems
end

return M
