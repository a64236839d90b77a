"""A small deterministic site: the same bytes at every request, and a count of the requests."""

import collections
import contextlib
import hashlib
import http.server
import random
import threading

PAGES = 18
# Long enough to be stored once, and referred to after that.
SHARED = b"p { color: #223 }\n" * 100


def body(path):
    """What stands at a path: type and bytes; None where nothing does."""
    if path in ("/", "/index.html"):
        path = "/page/0"
    kind, _, name = path.strip("/").partition("/")
    if kind == "page" and name.isdigit() and int(name) < PAGES:
        number = int(name)
        links = "".join(f'<a href="/page/{n}">{n}</a> ' for n in (2 * number + 1, 2 * number + 2) if n < PAGES)
        words = " ".join(hashlib.sha256(f"{number} {n}".encode()).hexdigest() for n in range(40))
        page = (
            f"<!doctype html><title>Page {number}</title><link rel=stylesheet href=/sheet/{number % 3}.css>"
            f"{links}<img src=/image/{number}.bin><p>{words}"
        )
        if number == 6:
            # More than are taken in at once.
            page += "".join(f'<a href="http://elsewhere.example/{n}"></a>' for n in range(1200))
        if number == 3:
            page += '<a href="/missing">missing</a> <a href="/moved">moved</a>'
        return "text/html", page.encode()
    if kind == "sheet":
        return "text/css", SHARED
    if kind == "image":
        number = int(name.split(".")[0])
        if number == 5:
            # More than is held in memory, and nothing that is packed into less.
            return "application/octet-stream", random.Random(name).randbytes(1_200_000)
        block = hashlib.sha512(name.encode()).digest()
        return "application/octet-stream", (block * (1500 // len(block) + 1))[:1500]
    return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # the name is the base class's
        self.server.requests[self.path] += 1
        if self.path == "/moved":
            return self.answer(302, b"", ("Location", "/page/1"))
        if found := body(self.path):
            media_type, bytes_ = found
            return self.answer(200, bytes_, ("Content-Type", media_type))
        return self.answer(404, b"nothing here\n", ("Content-Type", "text/plain"))

    def answer(self, status, bytes_, *fields):
        self.send_response_only(status)
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(bytes_)))
        self.end_headers()
        self.wfile.write(bytes_)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """The crawler is killed while it reads: that is what is tested."""


@contextlib.contextmanager
def site():
    """Serves it on a free port; gives the seed and the counter of requests."""
    server = Server(("127.0.0.1", 0), Handler)
    server.requests = collections.Counter()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", server.requests
    finally:
        server.shutdown()
        server.server_close()
