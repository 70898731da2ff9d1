--- What the specs share. A spec is a function that errors when it fails.
local M = {}

--- How long anything is waited for.
local PATIENCE = 30000
---@type string[] all that was shown by vim.notify
M.notes = {}

--- Waits for a condition and returns its value.
---@generic T
---@param what string
---@param f fun(): T?
---@return T
function M.wait(what, f)
  local value
  local ok = vim.wait(PATIENCE, function()
    value = f()
    return value
  end, 20)
  if not ok then
    error(('not in time: %s; told: %s'):format(what, table.concat(M.notes, ' | ')), 2)
  end
  return value
end

---@param text string
---@param part string
function M.contains(text, part)
  if not text:find(part, 1, true) then
    error(('%q is not in %q'):format(part, text), 2)
  end
end

--- Waits until something was told that contains a part.
---@param part string
---@return string
function M.told(part)
  return M.wait('being told ' .. part, function()
    for _, note in ipairs(M.notes) do
      if note:find(part, 1, true) then
        return note
      end
    end
  end)
end

--- Answers the selections to come, in order: an item that contains the part,
--- "" for none. Returns what was asked so far.
---@param parts string[]
---@return { prompt: string, items: string[] }[]
function M.answer(parts)
  local asked = {}
  vim.ui.select = function(items, opts, on_choice)
    local format = opts.format_item or tostring
    table.insert(asked, { prompt = opts.prompt, items = vim.tbl_map(format, items) })
    local part = table.remove(parts, 1)
    vim.schedule(function()
      for i, item in ipairs(items) do
        if part and part ~= '' and format(item):find(part, 1, true) then
          on_choice(item, i)
          return
        end
      end
      on_choice(nil)
    end)
  end
  return asked
end

--- The buffer of the question whether a command may run, when there is one.
---@return integer?
function M.card()
  local buf = vim.fn.bufnr('^cloudops://approval$')
  return buf ~= -1 and vim.fn.bufwinid(buf) ~= -1 and buf or nil
end

--- Types keys as a person does, from normal mode.
---@param keys string as in a mapping
function M.type(keys)
  vim.cmd.stopinsert()
  vim.api.nvim_feedkeys(vim.keycode(keys), 'xt', false)
end

--- Waits for the question, goes there and types a word, again while it comes
--- faster than anybody reads. Returns what it said.
---@param word string
---@return string
function M.decide(word)
  local buf = M.wait('the question', M.card)
  local text = table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, false), '\n')
  vim.cmd('CloudOps approvals')
  M.wait('the answer to be taken', function()
    if not vim.api.nvim_buf_is_valid(buf) then
      return true
    end
    M.type('A' .. word .. '<CR>')
    vim.wait(200, function() return not vim.api.nvim_buf_is_valid(buf) end)
  end)
  return text
end

--- Scans, and waits for the end.
function M.scan()
  vim.cmd('CloudOps scan')
  M.told('scan: ')
end

--- The text of the current buffer.
---@return string
function M.text()
  return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')
end

--- Puts the cursor on the first place of a text.
---@param part string
function M.cursor_on(part)
  for i, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
    local col = line:find(part, 1, true)
    if col then
      vim.api.nvim_win_set_cursor(0, { i, col - 1 })
      return
    end
  end
  error(part .. ' is not in the buffer', 2)
end

--- The text of the one floating window, when there is one.
---@return string?
function M.float()
  for _, win in ipairs(vim.api.nvim_list_wins()) do
    if vim.api.nvim_win_get_config(win).relative ~= '' then
      return table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(win), 0, -1, false), '\n')
    end
  end
end

--- Runs a spec file and ends Neovim with its outcome.
---@param file string
function M.run(file)
  vim.notify = function(message)
    table.insert(M.notes, message)
  end
  local ok, problem = xpcall(dofile, debug.traceback, file)
  if ok then
    vim.cmd('qa!')
  else
    io.stderr:write(tostring(problem) .. '\n')
    vim.cmd('cquit 1')
  end
end

return M
