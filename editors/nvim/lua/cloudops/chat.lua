--- :CloudOps chat: a conversation in a Markdown buffer. What is written below
--- the last line of dashes is the next message.
local M = {}

local RULE = '---'
local HEAD = { '# CloudOps', '', 'Write below the line; <CR> or <C-s> sends.', '', RULE, '' }

---@class cloudops.Chat
---@field buf integer
---@field conversation string? its id, once the daemon gave one
---@field busy boolean

---@type cloudops.Chat?
local chat

---@param c cloudops.Chat
---@return integer line index of the last rule, from 0
local function last_rule(c)
  local lines = vim.api.nvim_buf_get_lines(c.buf, 0, -1, false)
  for i = #lines, 1, -1 do
    if lines[i] == RULE then
      return i - 1
    end
  end
  return -1
end

--- Replaces lines, wherever the cursor is, and shows the end.
---@param c cloudops.Chat
---@param from integer
---@param to integer
---@param lines string[]
local function set_lines(c, from, to, lines)
  if not vim.api.nvim_buf_is_valid(c.buf) then
    return
  end
  vim.bo[c.buf].modifiable = true
  vim.api.nvim_buf_set_lines(c.buf, from, to, false, lines)
  for _, win in ipairs(vim.fn.win_findbuf(c.buf)) do
    vim.api.nvim_win_set_cursor(win, { vim.api.nvim_buf_line_count(c.buf), 0 })
  end
end

---@param c cloudops.Chat
---@param markdown string escaped by the server
local function append(c, markdown)
  set_lines(c, -1, -1, vim.split(markdown, '\n', { plain = true }))
end

--- Opens the place for the next message.
---@param c cloudops.Chat
local function ready(c)
  c.busy = false
  append(c, '\n' .. RULE .. '\n')
end

--- Asks about plans, one after the other; the rest waits once one is not run.
---@param c cloudops.Chat
---@param plans table[]
---@param i integer
local function decide(c, plans, i)
  local plan = plans[i]
  if not plan then
    ready(c)
    return
  end
  require('cloudops.approvals').decide(plan, function(line, ran)
    append(c, '\n> ' .. line)
    decide(c, ran and plans or {}, i + 1)
  end)
end

---@param c cloudops.Chat
---@param prompt string
local function send(c, prompt)
  local server = require('cloudops.server')
  c.busy = true
  append(c, '\n' .. RULE .. '\n')
  local start = vim.api.nvim_buf_line_count(c.buf) - 1
  local streamed = ''
  local function show(text)
    set_lines(c, start, -1, vim.split(text, '\n', { plain = true }))
  end
  local token, close = server.stream(function(text)
    streamed = streamed .. text
    show(streamed)
  end)
  server.request('cloudops/conversation/send', {
    conversation_id = c.conversation,
    prompt = prompt,
    token = token,
  }, function(answer, problem)
    close()
    if problem then
      show('> ' .. require('cloudops.text').line(problem))
      ready(c)
      return
    end
    c.conversation = answer.conversation_id
    show(answer.text)
    decide(c, type(answer.plans) == 'table' and answer.plans or {}, 1)
  end)
end

--- Sends what stands below the last rule.
function M.send()
  local c = chat
  if not c or c.busy then
    return
  end
  local lines = vim.api.nvim_buf_get_lines(c.buf, last_rule(c) + 1, -1, false)
  local prompt = vim.trim(table.concat(lines, '\n'))
  if prompt ~= '' then
    send(c, prompt)
  end
end

---@return cloudops.Chat
local function create()
  local buf = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(buf, 'cloudops://chat')
  vim.bo[buf].bufhidden = 'hide'
  vim.bo[buf].swapfile = false
  vim.bo[buf].undofile = false
  vim.bo[buf].modeline = false
  vim.bo[buf].filetype = 'markdown'
  local c = { buf = buf, busy = false }
  vim.keymap.set('n', '<CR>', M.send, { buffer = buf, desc = 'CloudOps: send' })
  vim.keymap.set({ 'n', 'i' }, '<C-s>', M.send, { buffer = buf, desc = 'CloudOps: send' })
  set_lines(c, 0, -1, HEAD)
  return c
end

--- The chat in a window, made when there is none.
---@return cloudops.Chat
local function shown()
  if not chat or not vim.api.nvim_buf_is_valid(chat.buf) then
    chat = create()
  end
  local win = vim.fn.bufwinid(chat.buf)
  if win ~= -1 then
    vim.api.nvim_set_current_win(win)
  else
    vim.cmd.split()
    vim.api.nvim_win_set_buf(0, chat.buf)
  end
  vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(chat.buf), 0 })
  return chat
end

--- Shows the conversation; a prompt is sent at once.
---@param prompt string? "" for none
function M.open(prompt)
  local c = shown()
  if prompt and prompt ~= '' and not c.busy then
    set_lines(c, last_rule(c) + 1, -1, { prompt })
    M.send()
  end
end

--- What an earlier message looks like in the buffer. What a person wrote may have
--- been pasted; all other text was escaped by the server.
---@param m table
---@return string
local function earlier(m)
  if m.role == 'assistant' then
    return m.content
  end
  local lines = vim.tbl_map(require('cloudops.text').line, vim.split(m.content, '\n', { plain = true }))
  return (m.role == 'system' and '> ' or '') .. table.concat(lines, m.role == 'system' and '\n> ' or '\n')
end

--- Shows an earlier conversation; the next message goes on with it.
---@param id string
function M.continue(id)
  local server = require('cloudops.server')
  server.request('cloudops/conversation/messages', { conversation_id = id, limit = 200 }, function(result, problem)
    if problem then
      server.notify('conversations: ' .. problem, vim.log.levels.ERROR)
      return
    end
    local c = shown()
    if c.busy then
      server.notify('the chat is busy; pick again when it has answered', vim.log.levels.WARN)
      return
    end
    c.conversation = id
    set_lines(c, 0, -1, HEAD)
    for _, m in ipairs(type(result.messages) == 'table' and result.messages or {}) do
      -- Each stands below a rule, as it did when it was sent or answered.
      set_lines(c, -2, -1, vim.split(earlier(m), '\n', { plain = true }))
      append(c, '\n' .. RULE .. '\n')
    end
  end)
end

return M
