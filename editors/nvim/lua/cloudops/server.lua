--- The connection with the language server: one for this Neovim.
local M = {}

local NAME = 'cloudops'

---@param message string
---@param level integer?
local function notify(message, level)
  vim.notify('CloudOps: ' .. message, level or vim.log.levels.INFO)
end
M.notify = notify

--- Whether a problem was told already; each is told once.
---@type table<string, boolean>
local told = {}

---@param message string
local function warn_once(message)
  if not told[message] then
    told[message] = true
    notify(message, vim.log.levels.WARN)
  end
end

--- From Neovim 0.11 on clients have methods, before that functions.
local has_methods = vim.fn.has('nvim-0.11') == 1

---@param client vim.lsp.Client
---@return boolean
local function is_stopped(client)
  if has_methods then
    return client:is_stopped()
  end
  return client.is_stopped()
end

--- Text of a chat under way, by token.
---@type table<string, fun(text: string)>
local streams = {}

--- Neovim's levels by LSP's message types.
local levels = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO, vim.log.levels.DEBUG }

local handlers = {
  ['window/showMessage'] = function(_, params)
    vim.notify(params.message, levels[params.type] or vim.log.levels.INFO)
  end,
  ['cloudops/prompt'] = function(_, params)
    return require('cloudops.card').ask(params)
  end,
  ['cloudops/execution/changed'] = function()
    require('cloudops.card').refresh()
  end,
  ['cloudops/conversation/text'] = function(_, params)
    local stream = streams[params.token]
    if stream then
      stream(params.text)
    end
  end,
}

--- Says that questions are shown as whole cards; see card.lua.
---@return lsp.ClientCapabilities
local function capabilities()
  return vim.tbl_deep_extend('force', vim.lsp.protocol.make_client_capabilities(), {
    experimental = { cloudops = { cards = true } },
  })
end

---@param config cloudops.Config
---@param buf integer?
---@return integer? client id
local function start(config, buf)
  if vim.fn.executable(config.cmd[1]) == 0 then
    warn_once(('%s is not an executable; see :checkhealth cloudops'):format(config.cmd[1]))
    return nil
  end
  local path = buf and vim.api.nvim_buf_get_name(buf) or ''
  local root = path ~= '' and vim.fs.root(path, '.git') or vim.fn.getcwd()
  return vim.lsp.start({
    name = NAME,
    cmd = config.cmd,
    root_dir = root,
    init_options = config.settings,
    settings = { cloudops = config.settings },
    handlers = handlers,
    capabilities = capabilities(),
  }, {
    bufnr = buf,
    -- The estate is the same in every folder.
    reuse_client = function(client)
      return client.name == NAME and not is_stopped(client)
    end,
  })
end

--- Whether a buffer is a file.
---@param buf integer
---@return boolean
local function is_file(buf)
  local name = vim.api.nvim_buf_get_name(buf)
  return vim.bo[buf].buftype == '' and name ~= '' and not name:find('^%a[%w+.-]+://')
end

--- Attaches the server to a buffer that is a file.
---@param buf integer
function M.attach(buf)
  local config, problems = require('cloudops.config').get()
  for _, problem in ipairs(problems) do
    warn_once(problem)
  end
  if config.attach and vim.api.nvim_buf_is_valid(buf) and is_file(buf) then
    start(config, buf)
  end
end

--- The running client, if there is one.
---@return vim.lsp.Client?
function M.client()
  for _, client in ipairs(vim.lsp.get_clients({ name = NAME })) do
    if not is_stopped(client) then
      return client
    end
  end
end

--- The client, started without a file where none runs.
---@return vim.lsp.Client?
local function ensure()
  local client = M.client()
  if client then
    return client
  end
  local config = require('cloudops.config').get()
  -- A scratch buffer stands in for a file; the server is not told of it.
  local scratch = vim.api.nvim_create_buf(false, true)
  local id = start(config, scratch)
  return id and vim.lsp.get_client_by_id(id) or nil
end

--- Sends a request. done gets the result, or nil and what went wrong.
---@param method string
---@param params table
---@param done fun(result: any?, problem: string?)
function M.request(method, params, done)
  local client = ensure()
  if not client then
    done(nil, 'the server does not run; see :checkhealth cloudops')
    return
  end
  if next(params) == nil then
    params = vim.empty_dict() -- or it would be sent as a list
  end
  local function callback(err, result)
    if err then
      local hint = type(err.data) == 'table' and err.data.hint
      done(nil, require('cloudops.text').line(hint and ('%s (%s)'):format(err.message, hint) or err.message))
    else
      done(result)
    end
  end
  if has_methods then
    client:request(method, params, callback)
  else
    client.request(method, params, callback)
  end
end

--- Names a stream of text, which f gets until it is closed.
---@param f fun(text: string)
---@return string token
---@return fun() close
function M.stream(f)
  local token = ('nvim-%d-%d'):format(vim.fn.getpid(), vim.uv.hrtime())
  streams[token] = f
  return token, function()
    streams[token] = nil
  end
end

return M
