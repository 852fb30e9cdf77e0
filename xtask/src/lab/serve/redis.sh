# redis that wants a password and keeps nothing.
exec redis-server --bind '* -::*' --protected-mode no --requirepass app-long-password --save '' --appendonly no --dir "$HOME"
