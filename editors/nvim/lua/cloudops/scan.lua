--- :CloudOps scan
local M = {}

--- Scans the estate. The server shows the steps, and problems, by itself.
function M.run()
  local server = require('cloudops.server')
  server.notify('scanning …')
  server.request('workspace/executeCommand', { command = 'cloudops.estate.scan' }, function(result, problem)
    if problem then
      server.notify('scan: ' .. problem, vim.log.levels.ERROR)
      return
    end
    local parts = {
      ('%d resources'):format(result.resources),
      ('%d changed'):format(result.changed),
      ('%d removed'):format(result.removed),
    }
    local problems = type(result.problems) == 'table' and #result.problems or 0
    if problems > 0 then
      table.insert(parts, ('%d problems'):format(problems))
    end
    server.notify('scan: ' .. table.concat(parts, ', '), problems > 0 and vim.log.levels.WARN or nil)
  end)
end

return M
