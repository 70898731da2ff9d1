--- :checkhealth cloudops
local M = {}

function M.check()
  local health = vim.health
  health.start('cloudops')
  if vim.fn.has('nvim-0.10') == 0 then
    health.error('Neovim 0.10 or newer is needed')
    return
  end
  local config, problems = require('cloudops.config').get()
  for _, problem in ipairs(problems) do
    health.warn(problem)
  end
  if #problems == 0 then
    health.ok('vim.g.cloudops is valid')
  end

  local program = config.cmd[1]
  if vim.fn.executable(program) == 0 then
    health.error(program .. ' is not an executable', {
      'Build it with `make build` and put bin/cloudops on your PATH,',
      'or set vim.g.cloudops = { cmd = { "/path/to/cloudops", "lsp" } }.',
    })
    return
  end
  local started, run = pcall(vim.system, { program, 'version' }, { text = true, timeout = 10000 })
  local out = started and run:wait() or nil
  if not out or out.code ~= 0 then
    health.error(program .. ' version does not run', { out and out.stderr or tostring(run) })
  else
    health.ok(vim.trim(out.stdout))
  end

  local client = require('cloudops.server').client()
  if client then
    health.ok('the language server runs')
  else
    health.info('the language server does not run yet: it starts with the first file')
  end
end

return M
