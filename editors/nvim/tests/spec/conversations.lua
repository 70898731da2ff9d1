-- Earlier conversations are picked and gone on with.
local t = require('helper')

--- Waits until the chat takes the next message.
local function ready()
  t.wait('the next line', function() return t.text():match('\n%-%-%-\n$') end)
end

local function count(part)
  return select(2, t.text():gsub(vim.pesc(part), ''))
end

t.wait('the server', require('cloudops.server').client)
vim.cmd('CloudOps conversations')
t.told('no conversation yet')

vim.cmd('CloudOps chat help me with the walrus')
t.wait('the answer', function() return count('\n---\n') >= 3 end)
ready()
local answered = t.text()
t.contains(answered, 'help me with the walrus')

-- Another one, begun elsewhere, with text that was pasted.
local other
local pasted = 'help\n\27[31m\226\128\174red'
require('cloudops.server').request('cloudops/conversation/send', { prompt = pasted }, function(answer)
  other = answer.conversation_id
end)
t.wait('the other one', function() return other end)

local asked = t.answer({ 'help [31m', '', 'walrus', 'walrus' })
vim.cmd('CloudOps conversations')
t.wait('the one that was picked', function() return t.text():find('red', 1, true) end)
ready()
if #asked[1].items ~= 2 or not asked[1].items[1]:find(other:sub(1, 8), 1, true) then
  error(vim.inspect(asked))
end
t.contains(t.text(), '\nhelp\n [31m?red\n')
if t.text():find('walrus', 1, true) then
  error('the buffer still shows the one before')
end

-- No choice changes nothing; words narrow the list.
vim.cmd('CloudOps conversations')
t.wait('the list', function() return #asked == 2 end)
vim.cmd('CloudOps conversations no-such-word')
t.told('no conversation has all of these words')
t.contains(t.text(), 'red')
vim.cmd('CloudOps conversations WALRUS help')
t.wait('the first one', function() return t.text():find('walrus', 1, true) end)
ready()
if #asked[3].items ~= 1 then
  error(vim.inspect(asked))
end
if t.text() ~= answered then
  error(('continued, it reads\n%s\nand before\n%s'):format(t.text(), answered))
end

-- The next message goes on with it.
vim.api.nvim_buf_set_lines(0, -2, -1, false, { 'help again' })
vim.api.nvim_feedkeys(vim.keycode('<CR>'), 'xt', false)
t.wait('the answer', function() return count('\n---\n') >= 5 end)
ready()
vim.cmd('CloudOps conversations')
t.wait('the list', function() return #asked == 4 end)
t.contains(asked[4].items[1], 'help me with the walrus, 4 messages')
