# What the server serves: pages, and echoes over TCP and UDP, on IPv4 and IPv6 alike.
import http.server
import os
import socket
import socketserver
import sys
import threading

os.chdir(sys.argv[1])
for name, size in [("download", 1 << 20), ("page", 8000)] + [(f"part{n}", 3000 + 1000 * n) for n in range(8)]:
    with open(name, "wb") as file:
        file.write(b"garita " * (size // 7))


class Pages(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while said := self.request.recv(65536):
            self.request.sendall(said)


class Answer(socketserver.BaseRequestHandler):
    def handle(self):
        said, through = self.request
        through.sendto(said + b" answered" * 8, self.client_address)


def on(kind, port, handler):
    class Server(kind):
        address_family = socket.AF_INET6
        allow_reuse_address = True
        daemon_threads = True
        request_queue_size = 512

        def server_bind(self):
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            super().server_bind()

        def handle_error(self, request, client):
            pass

    server = Server(("::", port), handler)
    threading.Thread(target=server.serve_forever).start()


on(http.server.ThreadingHTTPServer, 80, Pages)
on(socketserver.ThreadingTCPServer, 7, Echo)
on(socketserver.ThreadingUDPServer, 53, Answer)
print("serving", flush=True)
