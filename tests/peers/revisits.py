"""A small site that says the same at several URLs, and the snapshots of it that hold revisits."""

import contextlib
import gzip
import http.server
import pathlib
import random
import threading
import time

from snapshot import lastlight

# Trained of such records; it stands in the WARC's first, skippable frame.
DICTIONARY = pathlib.Path(__file__).parents[2] / "src" / "warc" / "frame" / "trained.dictionary"

# RFC 8878 §3.1, and the skippable frame of the .warc.zst convention.
FRAME, DICTIONARY_FRAME = b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18"

TEXT = b"What is said here is said at several addresses, and stored once.\n" * 60
BYTES = random.Random(1).randbytes(5000)
CODED = gzip.compress(BYTES, mtime=0)

# Path -> media type, body, and how it is sent.
ANSWERS = {
    "/one.txt": ("text/plain", TEXT, "plain"),
    "/two.txt": ("text/plain", TEXT, "plain"),
    "/three.bin": ("application/octet-stream", BYTES, "plain"),
    "/four.bin": ("application/x-another", BYTES, "plain"),
    "/five.txt": ("text/plain", TEXT + b"chunked", "chunked"),
    "/six.txt": ("text/plain", TEXT + b"chunked", "chunked"),
    "/seven.bin": ("application/octet-stream", CODED, "gzip"),
    "/eight.bin": ("application/octet-stream", CODED, "gzip"),
}
LINKS = "".join(f'<p><a href="{path}">{path}</a></p>\n' for path in ANSWERS)
ANSWERS["/"] = ("text/html", f"<title>Again</title>\n{LINKS * 4}".encode(), "plain")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path not in ANSWERS:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        media_type, body, sent = ANSWERS[self.path]
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        # Each answer has a head of its own, which its revisit keeps.
        self.send_header("X-Path", self.path)
        if sent == "gzip":
            self.send_header("Content-Encoding", "gzip")
        if sent == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in (body[:1000], body[1000:]):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def site():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


def make(binary, workdir):
    """Snapshots of the site: one, a later one whose payloads are the first one's, and two with Zstandard."""
    workdir = pathlib.Path(workdir)
    first, later, zstd, trained = (workdir / name for name in ("again", "later", "zstd", "trained"))
    settings = workdir / "trained.toml"
    settings.write_text(f'[warc]\nzstd_dictionary = "{DICTIONARY}"\n')
    with site() as seed:
        # One connection: the order of the answers is that of the links.
        crawl = [binary, "crawl", seed, "--delay", "0", "--connections", "1"]
        lastlight(*crawl, "--into", first)
        # A capture of another second, so that each is asked for by its time.
        time.sleep(1.1)
        lastlight(*crawl, "--into", later, "--dedup-against", first)
        lastlight(*crawl, "--into", zstd, "--warc-compression", "zstd")
        lastlight(*crawl, "--into", trained, "--warc-compression", "zstd", "--config", settings)
    return first, later, zstd, trained
