autocmd BufNewFile,BufRead *.dln setfiletype dln
