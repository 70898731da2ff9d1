-- A code action asks before anything runs, Reject first; no choice rejects.
local t = require('helper')

t.scan()
t.cursor_on(vim.env.MAIN_DB)

local function stop()
  vim.lsp.buf.code_action({
    apply = true,
    filter = function(action)
      return action.title:find('Stop ' .. vim.env.MAIN_DB, 1, true) ~= nil
    end,
  })
end

local asked = t.answer({ 'Reject' })
stop()
t.wait('the question', function() return #asked == 1 end)
t.contains(asked[1].prompt, vim.env.MAIN_DB)
t.contains(asked[1].items[1], 'Reject')
t.contains(asked[1].items[2], 'Run')
t.told('nothing ran')

t.notes = {}
asked = t.answer({ '' })
stop()
t.wait('the question', function() return #asked == 1 end)
t.told('nothing ran')
