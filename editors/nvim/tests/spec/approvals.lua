-- Plans that wait are listed, and decided by a question of the daemon.
local t = require('helper')
local server = require('cloudops.server')

vim.cmd('CloudOps approvals')
t.told('nothing waits')

t.scan()
local plan
server.request('cloudops/execution/propose', { verb = 'stop', identifier = vim.env.MAIN_DB }, function(result, problem)
  plan = result and result.plan or problem
end)
t.wait('the plan', function() return plan end)
t.contains(plan.line, vim.env.MAIN_DB)

local asked = t.answer({ vim.env.MAIN_DB })
vim.cmd('CloudOps approvals')
t.wait('the list', function() return #asked == 1 end)
t.contains(asked[1].items[1], vim.env.MAIN_DB)
t.contains(t.decide('run'), plan.line)
t.told('succeeded')
