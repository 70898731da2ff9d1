-- Completion, health, and a wrong configuration or command.
local t = require('helper')

local function same(got, want)
  if not vim.deep_equal(got, want) then
    error(('got %s, want %s'):format(vim.inspect(got), vim.inspect(want)), 2)
  end
end

same(vim.fn.getcompletion('CloudOps ', 'cmdline'), { 'approvals', 'chat', 'conversations', 'scan' })
same(vim.fn.getcompletion('CloudOps s', 'cmdline'), { 'scan' })
same(vim.fn.getcompletion('CloudOps scan ', 'cmdline'), {})

vim.cmd('CloudOps')
t.told('try :CloudOps approvals, chat, conversations, scan')
vim.cmd('CloudOps fly')
t.told('no command "fly"')

t.wait('the server', require('cloudops.server').client)
vim.cmd('checkhealth cloudops')
t.contains(t.text(), 'vim.g.cloudops is valid')
t.contains(t.text(), 'language server runs')
vim.cmd('bdelete')

-- One server for all files, and none for what is no file.
vim.cmd('edit ' .. vim.fn.tempname() .. '.log')
vim.cmd('help help')
same(#vim.lsp.get_clients({ bufnr = 0 }), 0)
same(#vim.lsp.get_clients({ name = 'cloudops' }), 1)
vim.cmd('helpclose')

-- The help is found without more ado: its tags are those that it has.
local doc = vim.fn.tempname() .. '/doc'
vim.fn.mkdir(doc, 'p')
vim.fn.writefile(vim.fn.readfile(vim.env.PLUGIN .. '/doc/cloudops.txt'), doc .. '/cloudops.txt')
vim.cmd('helptags ' .. doc)
same(vim.fn.readfile(vim.env.PLUGIN .. '/doc/tags'), vim.fn.readfile(doc .. '/tags'))
for _, tag in ipairs({ 'cloudops', ':CloudOps', 'g:cloudops', 'cloudops-approval' }) do
  vim.cmd('help ' .. tag)
  t.contains(vim.api.nvim_buf_get_name(0), 'cloudops.txt')
  vim.cmd('helpclose')
end

local text = require('cloudops.text')
same(text.line('a\nb\27[31m\226\128\174c\226\128\139'), 'a b [31m?c?')

-- What is wrong is told, once, and has its default.
vim.g.cloudops = { cmd = 'cloudops', atach = true }
local config, problems = require('cloudops.config').get()
same(config.cmd, { 'cloudops', 'lsp' })
same(problems, {
  'vim.g.cloudops.atach is unknown',
  'vim.g.cloudops.cmd must be a list of words, such as { "cloudops", "lsp" }',
})
for _, client in ipairs(vim.lsp.get_clients()) do
  vim.lsp.stop_client(client.id)
end
t.wait('the server to stop', function() return #vim.lsp.get_clients() == 0 end)
t.notes = {}
vim.g.cloudops = { cmd = { '/nowhere/cloudops', 'lsp' } }
vim.cmd('edit ' .. vim.fn.tempname() .. '.log')
vim.cmd('edit ' .. vim.fn.tempname() .. '.log')
same(#vim.tbl_filter(function(n) return n:find('/nowhere/cloudops is not an executable', 1, true) end, t.notes), 1)
