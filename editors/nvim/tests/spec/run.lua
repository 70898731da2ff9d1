-- A code action that was approved runs, and the hover knows the new state.
local t = require('helper')

t.scan()
t.cursor_on(vim.env.MAIN_DB)
local asked = t.answer({ 'Run' })
vim.lsp.buf.code_action({
  apply = true,
  filter = function(action)
    return action.title:find('Stop ' .. vim.env.MAIN_DB, 1, true) ~= nil
  end,
})
t.wait('the question', function() return #asked == 1 end)
t.told('succeeded')
t.wait('the new state', function()
  vim.lsp.buf.hover()
  vim.wait(200)
  return (t.float() or ''):find('stopped', 1, true)
end)
