--- Questions of the server, such as whether a command may run.
local M = {}

--- Asks the person, in the order that the server gave: Reject comes first.
--- No choice is no answer, which approves nothing.
---@param params lsp.ShowMessageRequestParams
---@return any the chosen action, or vim.NIL
function M.ask(params)
  local co, is_main = coroutine.running()
  if not co or is_main then
    return vim.NIL
  end
  vim.ui.select(params.actions or {}, {
    prompt = params.message,
    kind = 'cloudops.prompt',
    format_item = function(action)
      return action.title
    end,
  }, function(choice)
    -- A select that answers at once must not resume before the yield.
    vim.schedule(function()
      coroutine.resume(co, choice or vim.NIL)
    end)
  end)
  return coroutine.yield()
end

return M
