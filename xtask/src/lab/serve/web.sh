# nginx with a site of many resources, a form, a protected corner, big files, and TLS.
set -eu
root=$HOME/www
mkdir -p "$root"/{assets,secret,pool} "$HOME/nginx"
RANDOM=7
{
    echo '<!doctype html><title>Garita lab</title>'
    for i in {1..40}; do echo "<img src=/assets/$i.bin>"; done
} > "$root/index.html"
for i in {1..40}; do head -c $((RANDOM % 24000 + 300)) /dev/zero > "$root/assets/$i.bin"; done
for i in {1..30}; do head -c $((RANDOM * 3 + 2000)) /dev/zero > "$root/pool/package$i.deb"; done
truncate -s 1M "$root/video.bin"
truncate -s 4M "$root/big.bin"
echo "secret" > "$root/secret/index.html"
echo "admin:$(openssl passwd -apr1 a-long-password)" > "$HOME/htpasswd"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$HOME/key.pem" -out "$HOME/cert.pem" \
    -days 30 -subj /CN=www.example.net 2> /dev/null
cat > "$HOME/nginx.conf" <<EOF
daemon off;
pid $HOME/nginx.pid;
error_log stderr;
worker_processes 1;
events { worker_connections 1024; }
http {
    types { text/html html; }
    default_type application/octet-stream;
    access_log off;
    client_body_temp_path $HOME/nginx/body; proxy_temp_path $HOME/nginx/proxy; fastcgi_temp_path $HOME/nginx/fastcgi;
    uwsgi_temp_path $HOME/nginx/uwsgi; scgi_temp_path $HOME/nginx/scgi;
    server {
        listen 80; listen [::]:80; listen 443 ssl http2; listen [::]:443 ssl http2;
        ssl_certificate $HOME/cert.pem; ssl_certificate_key $HOME/key.pem;
        root $root;
        location / { limit_rate ${WEB_RATE:-0}; }
        location /login { if (\$request_method = POST) { return 200 "wrong password\n"; } return 200 "<form method=post>"; }
        location /api { return 200 "{\"status\":\"ok\"}\n"; }
        location /secret { auth_basic lab; auth_basic_user_file $HOME/htpasswd; }
        location /upload { client_max_body_size 64m; return 200 "thanks\n"; }
    }
}
EOF
chmod -R a+rX "$HOME"
exec nginx -e stderr -c "$HOME/nginx.conf"
