--- CloudOps in Neovim: the language server on every file, and one command.
--- Nothing is mapped globally; hover and code actions have Neovim's own keys.
local M = {}

--- Registers the command and starts the server with the first file.
function M.start()
  vim.api.nvim_create_user_command('CloudOps', function(args)
    require('cloudops.command').run(args.fargs)
  end, {
    nargs = '*',
    desc = 'CloudOps: chat, conversations, scan or approvals',
    complete = function(lead, line)
      return require('cloudops.command').complete(lead, line)
    end,
  })

  local group = vim.api.nvim_create_augroup('cloudops', { clear = true })
  vim.api.nvim_create_autocmd({ 'BufReadPost', 'BufNewFile', 'BufFilePost', 'FileType' }, {
    group = group,
    desc = 'CloudOps: attach to files',
    callback = function(event)
      require('cloudops.server').attach(event.buf)
    end,
  })
  -- Files that were open before the plugin was loaded.
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) then
      require('cloudops.server').attach(buf)
    end
  end
end

return M
