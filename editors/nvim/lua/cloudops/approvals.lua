--- :CloudOps approvals
local M = {}

--- Has the daemon put a plan before the person; done gets one line of what
--- became of it, and whether it ran well.
---@param plan table
---@param done fun(line: string, ran: boolean)
function M.decide(plan, done)
  local text = require('cloudops.text')
  require('cloudops.server').request(
    'cloudops/execution/decide',
    { plan = plan.id, decision = 'ask' },
    function(result, problem)
      if problem then
        done(text.line(problem), false)
        return
      end
      local x = result.execution
      local state = x.state_after and x.state_after ~= '' and (', now ' .. x.state_after) or ''
      local failure = x.error and x.error ~= '' and (': ' .. x.error) or ''
      done(text.line(x.status .. state .. failure), x.status == 'succeeded')
    end
  )
end

--- Goes to the question that stands, or lists the plans that wait and asks about
--- the one that is picked.
function M.open()
  if require('cloudops.card').enter() then
    return
  end
  local server = require('cloudops.server')
  local text = require('cloudops.text')
  server.request('cloudops/execution/pending', {}, function(result, problem)
    if problem then
      server.notify('approvals: ' .. problem, vim.log.levels.ERROR)
      return
    end
    local plans = type(result.plans) == 'table' and result.plans or {}
    if #plans == 0 then
      server.notify('nothing waits for approval')
      return
    end
    vim.ui.select(plans, {
      prompt = 'Plans that wait for you',
      kind = 'cloudops.approvals',
      format_item = function(plan)
        return text.line(('%s [%s] %s'):format(plan.title, plan.risk, plan.line))
      end,
    }, function(plan)
      if plan then
        M.decide(plan, function(line)
          server.notify(line)
        end)
      end
    end)
  end)
end

return M
