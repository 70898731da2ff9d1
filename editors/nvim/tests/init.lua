-- The whole configuration of the Neovim that the specs run in.
vim.opt.runtimepath:prepend(vim.env.PLUGIN)
vim.opt.swapfile = false
vim.opt.shadafile = 'NONE'
vim.g.cloudops = { cmd = { vim.env.CLOUDOPS_BINARY, 'lsp' } }
package.path = vim.env.PLUGIN .. '/tests/?.lua;' .. package.path
