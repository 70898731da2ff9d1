if vim.g.loaded_cloudops then return end
vim.g.loaded_cloudops = true
require('cloudops').start()
