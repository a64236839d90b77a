"""A small live site on two origins, for tests that hold its replay against it.

`site.localhost` has the pages in `site/` and small files; `cdn.localhost` has what they take from another
origin. In texts SITE and CDN stand for the two origins, CDNHOST for the second's host and port, GONE for an
origin that nobody has. What is asked for while `capturing` is not set is only looked at.
"""

import base64
import contextlib
import gzip
import hashlib
import http.server
import pathlib
import struct
import threading
import zlib

import brotli

HERE = pathlib.Path(__file__).resolve().parent / "site"
FACE = HERE.parent.parent.parent / "src/demo/site/assets/vollkorn-semibold-latin.woff2"
TYPES = {
    "html": "text/html", "js": "text/javascript", "mjs": "text/javascript", "css": "text/css", "json": "application/json",
    "svg": "image/svg+xml", "xml": "text/xml", "xsl": "text/xsl", "txt": "text/plain", "png": "image/png", "wav": "audio/wav",
    "m3u8": "application/vnd.apple.mpegurl", "mpd": "application/dash+xml", "ts": "video/mp2t", "mp4": "video/mp4", "woff2": "font/woff2",
}
# zstd's own format, one raw block (RFC 8878 §3.1): no compressor is in Python's library.
def zstd(data):
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(data)]) + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def wav(seconds):
    """Silence: 8 bits, 8,000 a second."""
    n = 8000 * seconds
    return b"RIFF" + struct.pack("<I", 36 + n) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000, 1, 8) + b"data" + struct.pack("<I", n) + b"\x80" * n


DOT = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
RUSSIAN, JAPANESE = "Привет, мир", "日本語です"
CODINGS = {
    "gzip": ("gzip", gzip.compress), "br": ("br", brotli.compress), "zstd": ("zstd", zstd), "deflate": ("deflate", zlib.compress),
}
HTML = "<!doctype html><meta charset={}><p>{}"

SITE = {
    "/absolute.mjs": "import { mapped } from 'CDN/mapped.mjs'; window.absoluteModule = 'absolute ' + mapped",
    "/dash/l-1.m4s": "l-1",
    "/dash/main.mpd": """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S"><BaseURL>CDN/dash/</BaseURL>
<Period><AdaptationSet><SegmentTemplate initialization="$RepresentationID$-init.mp4" media="SITE/dash/$RepresentationID$-$Number$.m4s?a=1&amp;b=2" duration="2"/>
<Representation id="v" bandwidth="1"/></AdaptationSet>
<AdaptationSet><Representation id="l" bandwidth="1"><SegmentList duration="2"><Initialization sourceURL="CDN/dash/l-init.mp4"/><SegmentURL media="SITE/dash/l-1.m4s"/><SegmentURL media="l-2.m4s"/></SegmentList></Representation></AdaptationSet>
<AdaptationSet><Representation id="s" bandwidth="1"><BaseURL>SITE/dash/whole.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>""",
    "/dash/some.mpd": """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"><Period><AdaptationSet>
<Representation id="gone" bandwidth="9"><BaseURL>GONE/dash/gone.mp4</BaseURL></Representation>
<Representation id="here" bandwidth="1"><BaseURL>whole.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>""",
    "/dash/v-1.m4s?a=1&b=2": "v-1",
    "/dash/v-2.m4s?a=1&b=2": "v-2",
    "/dash/whole.mp4": "whole",
    "/drawing.css": "text { fill: rgb(7, 8, 9) }",
    "/drawing.svg": """<?xml version="1.0"?>
<?xml-stylesheet href="SITE/drawing.css" type="text/css"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="100" height="50"><text y="20">drawn</text><image xlink:href="CDN/dot.png" width="5" height="5"/></svg>""",
    "/hls/key": "the key",
    "/hls/low-1.ts": "low one",
    "/hls/low.m3u8": """#EXTM3U
#EXTINF:4,
low-1.ts
#EXT-X-ENDLIST""",
    "/hls/main.m3u8": """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="en",URI="CDN/hls/audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=100000,AUDIO="a"
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900000,AUDIO="a"
CDN/hls/high.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=9000,URI="CDN/hls/high.m3u8"
""",
    "/hls/other.m3u8": """#EXTM3U
#EXTINF:4,
CDN/hls/two.ts
#EXTINF:4,
//CDNHOST/hls/three.ts?a=1&b=2
""",
    "/hls/one.ts": "one",
    "/hls/some.m3u8": """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=100000
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=900000
GONE/hls/best.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=500000
GONE/hls/good.m3u8""",
    "/inner.html": "<!doctype html><script>localStorage.setItem('inner', '1'); parent.postMessage({ referrer: document.referrer, stored: localStorage.getItem('inner') }, location.origin)</script>",
    "/lib.mjs": "export const lib = 'module lib'",
    "/meta.mjs": "export const url = import.meta.url",
    "/own/a.mjs": "export const own = ' own'",
    "/picture.svg": "<svg xmlns='http://www.w3.org/2000/svg' width='30' height='20'><rect width='30' height='20' fill='red'/></svg>",
    "/plain.txt": "plain text",
    "/styled-other.xml": """<?xml version="1.0"?>
<?xml-stylesheet href="CDN/styled.css" type="text/css"?>
<list>x</list>""",
    "/styled.css": "list { color: rgb(10, 11, 12) }",
    "/styled.xml": """<?xml version="1.0"?>
<?xml-stylesheet href="/styled.css" type="text/css"?>
<list>x</list>""",
    "/transform.xsl": """<?xml version="1.0"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:template match="/"><html><body>transformed <xsl:value-of select="list/item"/></body></html></xsl:template></xsl:stylesheet>""",
    "/transformed.xml": """<?xml version="1.0"?>
<?xml-stylesheet href="SITE/transform.xsl" type="text/xsl"?>
<list><item>first</item></list>""",
    "/worker-count.js": "let count = 0; onconnect = e => e.ports[0].postMessage(++count)",
    "/worker-lib.js": "self.libraries = (self.libraries || 0) + 1; self.lib = 'lib'",
    "/worker-nested.js": "fetch('CDN/data.json').then(r => r.json()).then(j => postMessage(['nested', j.answer, location.pathname]), e => postMessage(String(e)))",
    "/worker-shared-module.js": """import { lib } from './lib.mjs'
onconnect = e => { const port = e.ports[0]; port.onmessage = () => port.postMessage(lib) }""",
    "/worker-shared.js": """onconnect = e => {
  const port = e.ports[0]
  port.onmessage = async () => port.postMessage([location.pathname, await fetch('CDN/data.json').then(r => r.json()).then(j => j.answer), await fetch('plain.txt').then(r => r.text())])
}""",
    "/worker-strict.js": """'use strict'
var bound = (function () { return this === undefined })()
onmessage = () => postMessage(bound)""",
    "/worker-time.js": "onmessage = () => postMessage({ now: Date.now(), random: [Math.random(), Math.random()], bytes: [...crypto.getRandomValues(new Uint8Array(8))] })",
}

CDN = {
    "/classic.js": "const classic = 'classic script'",
    "/dash/l-2.m4s": "l-2",
    "/dash/l-init.mp4": "l-init",
    "/dash/v-init.mp4": "v-init",
    "/data.json": '{"answer": 42}',
    "/frame.html": "<!doctype html><p>frame",
    "/hls/audio.m3u8": """#EXTM3U
#EXT-X-KEY:METHOD=AES-128,URI="SITE/hls/key"
#EXT-X-MAP:URI="CDN/hls/init.mp4",BYTERANGE="4@0"
#EXTINF:4,

#EXTINF:4,
two.ts
#EXTINF:4,
//CDNHOST/hls/three.ts?a=1&b=2
#EXT-X-ENDLIST""",
    "/hls/high.m3u8": """#EXTM3U
#EXT-X-KEY:METHOD=AES-128,URI="SITE/hls/key"
#EXT-X-MAP:URI="CDN/hls/init.mp4",BYTERANGE="4@0"
#EXTINF:4,
SITE/hls/one.ts
#EXTINF:4,
two.ts
#EXTINF:4,
//CDNHOST/hls/three.ts?a=1&b=2
#EXT-X-ENDLIST""",
    "/hls/init.mp4": "init",
    "/hls/three.ts?a=1&b=2": "three",
    "/hls/two.ts": "two",
    "/imported.css": "body.styled { background-color: rgb(4, 5, 6) }",
    "/jsonp.js": "jsonp('called back')",
    "/lib.js": """// The library knows where it came from.
const libSource = document.currentScript.src""",
    "/mapped.mjs": "export const mapped = 'mapped'",
    "/messages.html": """<!doctype html><script>
onmessage = e => e.source.postMessage({ from: e.data === 'lost' ? 'lost' : 'other', to: e.data, origin: e.origin, referrer: document.referrer, domain: document.domain, ancestors: parent !== self }, e.origin)
</script>""",
    "/opaque": "opaque",
    "/style.css": "body.styled { color: rgb(1, 2, 3) }",
    "/styled.css": "list { color: rgb(10, 11, 12) }",
    "/worker-lib.js": "self.libraries = (self.libraries || 0) + 1; self.lib = 'lib'",
    "/worklet.js": "class P { paint() {} }; if (globalThis.registerPaint) registerPaint('p', P)",
}


def special():
    """Answers that are more than a type and a text: (host, path) -> (status, fields, bytes)."""
    page = lambda kind, text, charset: (200, {"Content-Type": kind}, text.encode(charset))  # noqa: E731
    out = {
        ("site", "/moved"): (302, {"Location": "/plain.txt"}, b""),
        ("site", "/moved-away"): (302, {"Location": "CDN/data.json", "Access-Control-Allow-Origin": "*"}, b""),
        ("site", "/loop"): (302, {"Location": "/loop2"}, b""),
        ("site", "/loop2"): (302, {"Location": "/loop"}, b""),
        ("site", "/found?q=a+b&x=1"): (200, {"Content-Type": "text/html"}, b"<p>found a b"),
        ("site", "/cookie"): (200, {"Content-Type": "text/plain", "Set-Cookie": "served=1; Path=/"}, b"x"),
        ("cdn", "/cookie"): (200, {"Content-Type": "text/plain", "Set-Cookie": "foreign=1; Path=/"}, b"x"),
        ("site", "/saved.txt"): (200, {"Content-Type": "text/plain", "Content-Disposition": 'attachment; filename="saved.txt"'}, b"saved"),
        ("site", "/range.bin"): (200, {"Content-Type": "application/x-bin"}, bytes(range(65, 91)) * 4),
        ("site", "/long.txt"): (200, {"Content-Type": "text/plain"}, b"0123456789" * 100_000),
        ("site", "/charset/cp1251-header"): page("text/html; charset=windows-1251", "<p>" + RUSSIAN, "cp1251"),
        ("site", "/charset/cp1251-meta"): page("text/html", HTML.format("windows-1251", RUSSIAN), "cp1251"),
        ("site", "/charset/utf16"): page("text/html", "\ufeff<p>" + RUSSIAN, "utf-16-le"),
        ("site", "/charset/sjis"): page("text/html; charset=Shift_JIS", f"<p>{JAPANESE}<img src=CDN/dot.png>", "shift_jis"),
        ("site", "/charset/script"): page("text/javascript; charset=windows-1251", f"var cyrillic = '{RUSSIAN}'", "cp1251"),
        ("cdn", "/dot.png"): (200, {"Content-Type": "image/png"}, DOT),
        ("cdn", "/film.wav"): (200, {"Content-Type": "audio/wav"}, wav(60)),
        ("cdn", "/jsonp.js?callback=jsonp"): (200, {"Content-Type": "text/javascript"}, b"jsonp('called back')"),
        ("cdn", "/face.woff2"): (200, {"Content-Type": "font/woff2"}, FACE.read_bytes()),
        ("site", "/coded/chunked"): (200, {"Content-Type": "text/plain", "Transfer-Encoding": "chunked"}, b"3\r\nchu\r\n4\r\nnked\r\n0\r\n\r\n"),
    }
    for name, (coding, code) in CODINGS.items():
        out["site", f"/coded/{name}"] = (200, {"Content-Type": "text/plain", "Content-Encoding": coding}, code(f"coded by {name}".encode()))
    return out


class Live:
    """The site while it is live."""

    def __init__(self, port):
        self.port = port
        self.site, self.cdn, self.gone = (f"http://{name}.localhost:{port}" for name in ("site", "cdn", "gone"))
        self.answers = {}
        texts = {("site", path): text for path, text in SITE.items()} | {("cdn", path): text for path, text in CDN.items()}
        for file in HERE.iterdir():
            if file.suffix in (".html", ".js"):
                texts["site", "/" + file.name] = file.read_text()
        for (host, path), text in texts.items():
            kind = TYPES.get(path.rpartition(".")[2], "text/plain")
            charset = "; charset=utf-8" if kind.startswith("text/") else ""
            self.answers[host, path] = (200, {"Content-Type": kind + charset}, self.filled(text).encode())
        for key, (status, fields, body) in special().items():
            self.answers[key] = (status, {name: self.filled(value) for name, value in fields.items()}, body.replace(b"CDN/", f"{self.cdn}/".encode()))

    def filled(self, text):
        classic = base64.b64encode(hashlib.sha256(CDN["/classic.js"].encode()).digest()).decode()
        text = text.replace("CDNHOST", f"cdn.localhost:{self.port}").replace("INTEGRITY", classic)
        for name, origin in [("SITE", self.site), ("CDN", self.cdn), ("GONE", self.gone)]:
            text = text.replace(f"{name}/", f"{origin}/").replace(f"'{name}'", f"'{origin}'")
        return text

    def urls(self):
        return [f"http://{host}.localhost:{self.port}{path}" for host, path in self.answers]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        live = self.server.live
        host = (self.headers.get("Host") or "").split(".")[0]
        status, fields, body = live.answers.get((host, self.path), (404, {"Content-Type": "text/html"}, b"<p>nothing here"))
        wanted = self.headers.get("Range")
        if wanted and status == 200 and "Transfer-Encoding" not in fields and "Content-Encoding" not in fields:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start = int(first) if first else len(body) - int(last)
            end = min(int(last) if first and last else len(body) - 1, len(body) - 1)
            status, fields = 206, {**fields, "Content-Range": f"bytes {start}-{end}/{len(body)}"}
            body = body[start : end + 1]
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        if "Transfer-Encoding" not in fields:
            self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        if host == "cdn" and self.path != "/opaque":
            self.share()
        self.end_headers()
        if self.command != "HEAD":
            with contextlib.suppress(OSError):
                self.wfile.write(body)

    do_HEAD = do_GET

    def share(self):
        self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin") or "*")
        self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Access-Control-Allow-Headers", "x-asked")
        self.send_header("Access-Control-Expose-Headers", "x-total, content-range")
        self.send_header("X-Total", "9")

    def do_OPTIONS(self):
        self.send_response(204)
        self.share()
        self.end_headers()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def live():
    """Serves the site; yields what it is."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # A browser that goes away is nothing to tell of.
    server.handle_error = lambda *_: None
    server.live = Live(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.live
    finally:
        server.shutdown()
        server.server_close()
