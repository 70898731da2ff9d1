-- Chat answers in its buffer, and asks before what it proposes runs.
local t = require('helper')

t.scan()
vim.cmd('CloudOps chat Stop ' .. vim.env.MAIN_DB)
local chat = vim.api.nvim_get_current_buf()
local function text()
  return table.concat(vim.api.nvim_buf_get_lines(chat, 0, -1, false), '\n')
end
t.contains(t.decide('reject'), vim.env.MAIN_DB)
t.wait('the rejection', function() return text():find('\n> [^\n]*reject') end)

-- The next message is written below the line and sent with <CR>.
t.wait('the next line', function() return text():match('\n%-%-%-\n$') end)
vim.api.nvim_set_current_win(vim.fn.bufwinid(chat))
vim.api.nvim_buf_set_lines(chat, -2, -1, false, { 'Stop ' .. vim.env.MAIN_DB })
t.type('<CR>')
t.decide('run')
t.wait('the outcome', function() return text():find('\n> succeeded', 1, true) end)
