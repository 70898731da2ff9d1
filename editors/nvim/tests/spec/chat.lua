-- Chat answers in its buffer, and asks before what it proposes runs.
local t = require('helper')

t.scan()
local asked = t.answer({ 'Reject', 'Run' })
vim.cmd('CloudOps chat Stop ' .. vim.env.MAIN_DB)
t.wait('the question', function() return #asked == 1 end)
t.contains(asked[1].prompt, vim.env.MAIN_DB)
t.wait('the rejection', function() return t.text():find('\n> [^\n]*reject') end)

-- The next message is written below the line and sent with <CR>.
t.wait('the next line', function() return t.text():match('\n%-%-%-\n$') end)
vim.api.nvim_buf_set_lines(0, -2, -1, false, { 'Stop ' .. vim.env.MAIN_DB })
vim.api.nvim_feedkeys(vim.keycode('<CR>'), 'xt', false)
t.wait('the question', function() return #asked == 2 end)
t.wait('the outcome', function() return t.text():find('\n> succeeded', 1, true) end)
