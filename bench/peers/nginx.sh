#!/usr/bin/env bash
# nginx in front of the stream, as its documentation says for server-sent events: no buffering, keep-alive
# upstream. One process, so that its CPU time is all of it.
set -eu
directory=$(mktemp -d)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
upstream=${UPSTREAM#http://}
cat >"$directory/nginx.conf" <<CONF
daemon off;
master_process off;
pid $directory/pid;
error_log $directory/error.log;
events { worker_connections 8192; }
http {
    access_log off;
    client_body_temp_path $directory/body;
    proxy_temp_path $directory/proxy;
    fastcgi_temp_path $directory/fastcgi;
    uwsgi_temp_path $directory/uwsgi;
    scgi_temp_path $directory/scgi;
    tcp_nodelay on;
    keepalive_requests 1000000;
    upstream api { server ${upstream%%/*}; keepalive 1024; keepalive_requests 1000000; }
    server {
        listen 127.0.0.1:$port backlog=1024;
        location /v1/ {
            proxy_pass http://api;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 3600s;
        }
    }
}
CONF
echo "nginx on http://127.0.0.1:$port"
exec nginx -c "$directory/nginx.conf" -e "$directory/error.log"
