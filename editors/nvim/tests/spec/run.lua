-- A code action that was approved runs, and the hover knows the new state.
local t = require('helper')

t.scan()
t.cursor_on(vim.env.MAIN_DB)
local win, cursor = vim.api.nvim_get_current_win(), vim.api.nvim_win_get_cursor(0)
vim.lsp.buf.code_action({
  apply = true,
  filter = function(action)
    return action.title:find('Stop ' .. vim.env.MAIN_DB, 1, true) ~= nil
  end,
})
t.decide('run')
t.told('succeeded')
-- The person is back where they came from, and writes nothing there.
if vim.api.nvim_get_current_win() ~= win or vim.api.nvim_get_mode().mode ~= 'n' then
  error('the cursor is not back')
end
if not vim.deep_equal(vim.api.nvim_win_get_cursor(win), cursor) then
  error('the cursor has moved')
end
t.wait('the new state', function()
  vim.lsp.buf.hover()
  vim.wait(200)
  return (t.float() or ''):find('stopped', 1, true)
end)
