-- A code action asks in a buffer of its own before anything runs: what it will do
-- stands first, and only a word that is typed there decides.
local t = require('helper')

t.scan()
local file, win = vim.api.nvim_get_current_buf(), vim.api.nvim_get_current_win()

local function stop()
  vim.api.nvim_set_current_win(win)
  t.cursor_on(vim.env.MAIN_DB)
  vim.lsp.buf.code_action({
    apply = true,
    filter = function(action)
      return action.title:find('Stop ' .. vim.env.MAIN_DB, 1, true) ~= nil
    end,
  })
  return t.wait('the question', t.card)
end

-- Who goes on typing writes into the file.
local card = stop()
t.told('waits for you')
if vim.api.nvim_get_current_win() ~= win then
  error('the question took the cursor')
end
local question = vim.api.nvim_buf_get_lines(card, 0, -1, false)
t.type('Oreplicas = 2<CR>run<CR>2<CR>y<CR><Esc>')
if not vim.deep_equal(vim.api.nvim_buf_get_lines(file, 0, 4, false), { 'replicas = 2', 'run', '2', 'y' }) then
  error(vim.inspect(vim.api.nvim_buf_get_lines(file, 0, -1, false)))
end
if t.card() ~= card or not vim.deep_equal(vim.api.nvim_buf_get_lines(card, 0, -1, false), question) then
  error('what was typed for the file reached the question')
end

-- Title, command and what it is done to stand before the word, the rest below.
t.contains(question[1], 'Stop ' .. vim.env.MAIN_DB)
t.contains(question[2], 'aws rds stop-db-instance')
local above, below = table.concat(question, '\n'):match('^(.*)\n> \n(.*)$')
local matters = { 'Account  123456789012', 'Region   us-west-2', 'Target ', 'State ', 'Risk ', 'Effect ', 'Undo ' }
for _, part in ipairs(matters) do
  t.contains(above, part)
end
for _, part in ipairs({ 'Facts ', 'Tags ', 'Origin ', 'Identity ' }) do
  t.contains(below, part)
end
if #vim.split(above, '\n') > 14 then
  error('more than what matters:\n' .. above)
end

-- Another word decides nothing, nor does one in a window that shows but a part.
vim.cmd('CloudOps approvals')
t.type('Ayes<CR>')
t.told('"yes" is not "run"')
vim.api.nvim_win_set_height(0, 2)
t.type('Arun<CR>')
t.told('make its window larger')
if not vim.api.nvim_buf_is_valid(card) then
  error('the question is gone')
end

-- A window that is closed leaves the plan waiting.
vim.cmd('close')
t.told('waits until')
t.answer({ vim.env.MAIN_DB })
vim.cmd('CloudOps approvals')
t.decide('reject')
t.told('reject')

-- What is decided elsewhere leaves the screen.
t.notes = {}
card = stop()
local server, plans = require('cloudops.server'), nil
server.request('cloudops/execution/pending', {}, function(result)
  plans = result.plans
end)
t.wait('the plans', function() return plans end)
server.request('cloudops/execution/decide', { plan = plans[1].id, decision = 'reject' }, function() end)
t.wait('the question to go', function() return not vim.api.nvim_buf_is_valid(card) end)
