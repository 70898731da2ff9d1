--- Whether a command may run, asked in a buffer of its own. It opens beside what
--- the person works on and takes no key until they go there; then they type a
--- word that stands on it.
local M = {}

--- What the server is told of a question without an answer.
local CANCELLED = vim.lsp.protocol.ErrorCodes.RequestCancelled

local NAME = 'cloudops://approval'
local PROMPT = '> '
--- What is read before the question; the rest stands below it.
local FIRST = { risk = true, effect = true, target = true, state = true, account = true, region = true, undo = true }

---@class cloudops.Card
---@field params table what the server asks
---@field answer fun(result: any, err: table?) answers the server, once
---@field buf integer?
---@field line integer? where the word is typed, from 1
---@field from integer? the window that the person came from
---@field seen integer? when the whole question came into view, in milliseconds

--- The card that is shown is the first of these.
---@type cloudops.Card[]
local waiting = {}

---@return integer milliseconds
local function now()
  return vim.uv.hrtime() / 1e6
end

---@param message string
---@param level integer?
local function notify(message, level)
  require('cloudops.server').notify(message, level)
end

--- The word that runs it: for what is critical, all of its title.
---@param params table
---@return string
local function word(params)
  return params.risk == 'critical' and params.title or 'run'
end

---@param name string
---@param text string
---@return string
local function field(name, text)
  if name == '' then
    return (' '):rep(9) .. text
  end
  return ('%-8s %s'):format(name:sub(1, 1):upper() .. name:sub(2), text)
end

--- The card as lines, and which of them takes the word.
---@param params table all text in it is escaped
---@return string[]
---@return integer
local function lines(params)
  local line = require('cloudops.text').line
  local all, rest = { line(params.title), field('command', line(params.line)) }, {}
  for _, f in ipairs(params.fields) do
    local matters = FIRST[f.name] or f.text:find('not AWS itself', 1, true)
    table.insert(matters and all or rest, field(f.name, line(f.text)))
  end
  vim.list_extend(all, { '', ('Type %s and press Enter to run it, or reject:'):format(line(word(params))), PROMPT })
  local at = #all
  table.insert(all, '')
  return vim.list_extend(all, rest), at
end

---@param card cloudops.Card
---@return integer? window
local function window(card)
  local win = card.buf and vim.fn.bufwinid(card.buf) or -1
  return win ~= -1 and win or nil
end

local show

--- Takes a card away and shows the next.
---@param card cloudops.Card
---@param result any
---@param err table?
local function finish(card, result, err)
  local at
  for i, other in ipairs(waiting) do
    at = other == card and i or at
  end
  if not at then
    return
  end
  table.remove(waiting, at)
  card.answer(result, err)
  if card.buf and vim.api.nvim_buf_is_valid(card.buf) then
    if window(card) == vim.api.nvim_get_current_win() and card.from and vim.api.nvim_win_is_valid(card.from) then
      vim.api.nvim_set_current_win(card.from)
    end
    vim.api.nvim_buf_delete(card.buf, { force = true })
  end
  show()
end

--- Leaves a plan undecided: to the daemon nobody could be asked.
---@param card cloudops.Card
---@param why string
local function leave(card, why)
  finish(card, nil, { code = CANCELLED, message = why })
end

--- Notes since when all of the question, from title to word, is in view of a
--- person who is there.
---@param card cloudops.Card
---@return boolean
local function in_view(card)
  local win = window(card)
  local whole = win ~= nil
    and win == vim.api.nvim_get_current_win()
    and vim.fn.line('w0', win) == 1
    and vim.fn.line('w$', win) >= card.line
  if not whole then
    card.seen = nil
  elseif not card.seen then
    card.seen = now()
  end
  return whole
end

--- Decides, once the person writes no more: what they type next is for the window
--- that they came from.
---@param card cloudops.Card
---@param title string
local function decide(card, title)
  vim.cmd.stopinsert()
  vim.schedule(function()
    finish(card, { title = title, digest = card.params.digest })
  end)
end

--- Takes what was typed.
---@param card cloudops.Card
local function submit(card)
  local typed = vim.api.nvim_buf_get_lines(card.buf, card.line - 1, card.line, false)[1] or ''
  typed = vim.trim(vim.startswith(typed, PROMPT) and typed:sub(#PROMPT + 1) or typed)
  if typed == 'reject' then
    decide(card, card.params.reject)
    return
  end
  local problem
  if typed ~= word(card.params) then
    problem = typed ~= '' and ('"%s" is not "%s"; nothing was decided'):format(typed, word(card.params))
  elseif not in_view(card) then
    problem = 'the question is not in view as a whole: make its window larger, then type the word again'
  elseif now() - card.seen < (card.params.arm_after_ms or 1000) then
    problem = 'that was faster than anybody reads; nothing was decided, type the word again'
  else
    decide(card, card.params.run)
    return
  end
  vim.api.nvim_buf_set_lines(card.buf, card.line - 1, card.line, false, { PROMPT })
  vim.api.nvim_win_set_cursor(0, { card.line, #PROMPT })
  if problem then
    notify(problem, vim.log.levels.WARN)
  end
end

--- Opens the window of a card, without going there.
---@param card cloudops.Card
local function open(card)
  local win = vim.api.nvim_open_win(card.buf, false, { split = 'below', win = -1 })
  vim.wo[win].wrap = true
  vim.wo[win].linebreak = true
  vim.wo[win].number = false
  vim.wo[win].relativenumber = false
  vim.wo[win].signcolumn = 'no'
  vim.wo[win].foldenable = false
  vim.wo[win].winfixheight = true
  local rows = vim.api.nvim_win_text_height(win, { end_row = card.line - 1 }).all
  vim.api.nvim_win_set_height(win, math.max(1, math.min(rows, vim.o.lines - vim.o.cmdheight - 4)))
  vim.api.nvim_win_set_cursor(win, { card.line, #PROMPT })
end

--- Makes the buffer of a card.
---@param card cloudops.Card
local function create(card)
  local buf = vim.api.nvim_create_buf(false, true)
  card.buf = buf
  vim.api.nvim_buf_set_name(buf, NAME)
  vim.bo[buf].bufhidden = 'wipe'
  vim.bo[buf].swapfile = false
  vim.bo[buf].undofile = false
  vim.bo[buf].modeline = false
  local text
  text, card.line = lines(card.params)
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, text)
  vim.keymap.set({ 'n', 'i' }, '<CR>', function()
    submit(card)
  end, { buffer = buf, desc = 'CloudOps: decide' })
  -- A file may be opened in its place; then the question is gone from the screen.
  vim.api.nvim_create_autocmd('BufWipeout', {
    buffer = buf,
    once = true,
    callback = function()
      card.buf = nil
      vim.schedule(function()
        leave(card, 'the question was closed')
      end)
    end,
  })
  vim.api.nvim_create_autocmd({ 'WinEnter', 'BufEnter', 'CursorMoved', 'CursorMovedI' }, {
    buffer = buf,
    callback = function()
      in_view(card)
    end,
  })
  vim.api.nvim_create_autocmd({ 'WinLeave', 'BufLeave' }, {
    buffer = buf,
    callback = function()
      card.seen = nil
    end,
  })
end

--- Shows the first card that waits, if none is.
show = function()
  local card = waiting[1]
  if not card or card.buf then
    return
  end
  create(card)
  open(card)
  local more = #waiting > 1 and (' (and %d more)'):format(#waiting - 1) or ''
  local message = '%s waits for you%s: go to its window with :CloudOps approvals'
  notify(message:format(card.params.title, more), vim.log.levels.WARN)
end

--- Asks about a plan. No word is no answer, which decides nothing.
---@param params table see cloudops/prompt
---@return any result
---@return table? err
function M.ask(params)
  local co, is_main = coroutine.running()
  if not co or is_main then
    return nil, { code = CANCELLED, message = 'nobody can be asked now' }
  end
  local card = { params = params }
  card.answer = function(result, err)
    vim.schedule(function()
      coroutine.resume(co, result, err)
    end)
  end
  table.insert(waiting, card)
  vim.schedule(show)
  -- Past its end nobody listens.
  vim.defer_fn(function()
    leave(card, 'nobody decided in time')
  end, math.max(0, params.expires_ms - vim.fn.localtime() * 1000))
  return coroutine.yield()
end

--- Goes to the question that is shown.
---@return boolean whether there is one
function M.enter()
  local card = waiting[1]
  local win = card and window(card)
  if not win then
    return false
  end
  if win ~= vim.api.nvim_get_current_win() then
    card.from = vim.api.nvim_get_current_win()
  end
  vim.api.nvim_set_current_win(win)
  vim.api.nvim_win_set_cursor(win, { card.line, #PROMPT })
  vim.cmd.startinsert({ bang = true })
  in_view(card)
  return true
end

--- Drops the questions about plans that were decided elsewhere.
function M.refresh()
  if #waiting == 0 then
    return
  end
  require('cloudops.server').request('cloudops/execution/pending', {}, function(result)
    if not result then
      return
    end
    local open_plans = {}
    for _, plan in ipairs(type(result.plans) == 'table' and result.plans or {}) do
      open_plans[plan.id] = true
    end
    for _, card in ipairs(vim.list_slice(waiting)) do
      if not open_plans[card.params.plan] then
        leave(card, 'it was decided elsewhere')
      end
    end
  end)
end

return M
