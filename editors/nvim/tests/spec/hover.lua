-- A hover shows the resource that an id stands for, in any file.
local t = require('helper')

t.scan()
t.cursor_on(vim.env.MAIN_DB)
vim.lsp.buf.hover()
local text = t.wait('the hover', t.float)
t.contains(text, vim.env.MAIN_DB)
t.contains(text, 'us-west-2')
t.contains(text, 'available')
