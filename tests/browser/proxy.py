#!/usr/bin/env python3
"""Opens replays with `--open` where every packet is seen: `proxy.py BINARY WORKDIR`.

Runs itself in a network of its own: loopback, and one interface with a route to
everywhere, that leads nowhere. A page tries to be heard in every way that pages
have; no packet may leave loopback, and no name may be asked for. That packets are
seen at all is proven by the same page in a browser that isn't cut off. With
chromium-headless-shell, and with chromium in Xvfb where both are installed.
Exit 77 where the system allows no network of one's own.
"""

import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

from chromium import Chromium, Opened
from replayed import STATE

# In tests/peers, which `replayed` has made known.
from checks import Checks, few
from server import replay

NOT_ALLOWED = 77
# RFC 2544 and RFC 3849: never on the internet. The second is where the packets would go.
OWN, ADDRESS, RESOLVER = "198.18.0.1", "198.18.7.7", "198.18.0.53"
LIVE = "live.example"
HERE = pathlib.Path(__file__).resolve().parent
DEMO = HERE.parent.parent / "snapshots" / "demo"
HEADLESS = "chromium-headless-shell"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n")[0])
    binary, work = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
    if "INSIDE" not in os.environ:
        unshare = ["unshare", "--net", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
        if subprocess.run([*unshare, "true"], capture_output=True).returncode:
            return NOT_ALLOWED
        inside = {**os.environ, "INSIDE": "1"}
        return subprocess.run([*unshare, sys.executable, __file__, binary, work], env=inside).returncode
    work = work / "proxy"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    network(work)
    checks = Checks("proxy")
    checks.run("without a browser or a display, it says what to do", nothing_to_open_with, binary, work)
    browsers = [(HEADLESS, None)]
    if shutil.which("chromium") and shutil.which("Xvfb"):
        browsers.append(("chromium", ":97"))
    for program, display in browsers:
        with Opening(binary, work, program, display) as opening:
            for check in (egress, demo, other_time, sharing, secure, ends_on_signal, from_the_interface):
                checks.run(f"{program}: {check.__doc__.rstrip('.')}", check, opening)
    checks.run("an ordinary browser with the page below the banner sends nothing either", ordinary, binary, work)
    # The last: the kernel tells for some seconds after its end which groups of mDNS it left.
    checks.run("a browser that isn't cut off is heard", control, work)
    return checks.done()


# The network


def network(work):
    resolver = work / "resolv.conf"
    resolver.write_text(f"nameserver {RESOLVER}\noptions timeout:1 attempts:1\n")
    run("mount", "--bind", resolver, "/etc/resolv.conf")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "out", "type", "veth", "peer", "name", "nowhere")
    for end in ("out", "nowhere"):
        run("ip", "link", "set", end, "addrgenmode", "none", "arp", "off")
        run("ip", "link", "set", end, "up")
    run("ip", "address", "add", f"{OWN}/24", "dev", "out")
    run("ip", "route", "add", "default", "dev", "out")
    # A kernel without IPv6 has nothing to leak by it.
    for command in (["address", "add", "2001:db8:ffff::1/64", "dev", "out", "nodad"], ["route", "add", "default", "dev", "out"]):
        subprocess.run(["ip", "-6", *command], capture_output=True)


class Wire:
    """What is sent on any interface, while it is open."""

    def __enter__(self):
        everything = 3  # ETH_P_ALL
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(everything))
        self.socket.settimeout(0.2)
        self.left, self.within, self.over = [], [], False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        return self

    def _read(self):
        while not self.over:
            with contextlib.suppress(TimeoutError):
                packet, (interface, protocol, *_) = self.socket.recvfrom(65536)
                said = describe(protocol, packet)
                if said and interface != "nowhere":
                    (self.within if interface == "lo" else self.left).append(said)

    def __exit__(self, *_):
        time.sleep(0.3)
        self.over = True
        self.thread.join()
        self.socket.close()

    def assert_silent(self, *ports):
        """Nothing left, and on loopback there was TCP alone, to these ports."""
        assert not self.left, f"left this machine:\n  {few(self.left)}"
        assert self.within, "not even the proxy was asked"
        # A packet that begins a connection; others may be of the end of earlier ones.
        other = [said for said in self.within if said[0] not in ("tcp", "tcp begun") or said[0] == "tcp begun" and said[4] not in ports]
        assert not other, f"on loopback:\n  {few(other)}"


def describe(protocol, packet):
    """(protocol, from, port, to, port); None for what the kernel itself says to find neighbours."""
    if protocol == 0x0800:
        start = (packet[0] & 15) * 4
        number, ends = packet[9], (socket.inet_ntop(socket.AF_INET, packet[12:16]), socket.inet_ntop(socket.AF_INET, packet[16:20]))
        # Membership of multicast groups is told where a socket joins one, as mDNS does; it counts. That
        # it has left is said up to some seconds after the socket's end, and into others' ears.
        if number == 2 and is_farewell(packet[start:]):
            return None
    elif protocol == 0x86DD:
        start = 40
        number, ends = packet[6], (socket.inet_ntop(socket.AF_INET6, packet[8:24]), socket.inet_ntop(socket.AF_INET6, packet[24:40]))
        hop_by_hop, icmp = 0, 58
        if number in (hop_by_hop, icmp):
            return None
    else:
        return None if protocol == 0x0806 else (f"ethertype {protocol:#x}", "", 0, "", 0)
    name = {6: "tcp", 17: "udp"}.get(number)
    if name is None:
        return (f"protocol {number}", ends[0], 0, ends[1], 0)
    ports = struct.unpack("!HH", packet[start : start + 4])
    syn, ack = 2, 16
    if name == "tcp" and packet[start + 13] & (syn | ack) == syn:
        name = "tcp begun"
    return (name, ends[0], ports[0], ends[1], ports[1])


def is_farewell(report):
    """Whether an IGMP message says that groups are left, and nothing else (RFC 3376 §4.2, RFC 2236 §2)."""
    leave, report_3, change_to_include = 0x17, 0x22, 3
    if not report or report[0] != report_3:
        return report[:1] == bytes([leave])
    at, changes = 8, []
    for _ in range(int.from_bytes(report[6:8], "big")):
        kind, words, sources = struct.unpack_from("!BBH", report, at)
        changes.append((kind, sources))
        at += 8 + 4 * sources + 4 * words
    return all(change == (change_to_include, 0) for change in changes)


def run(*command):
    subprocess.run(list(map(str, command)), check=True)


# The archive


def warc(path, *captures):
    """Captures are (url, time, fields and type, body)."""
    with open(path, "wb") as out:
        for url, time14, fields, body in captures:
            body = body.encode()
            head = "".join(f"{line}\r\n" for line in ["HTTP/1.1 200 OK", *fields, f"Content-Length: {len(body)}"])
            block = head.encode() + b"\r\n" + body
            date = datetime.datetime.strptime(time14, "%Y%m%d%H%M%S").strftime("%Y-%m-%dT%H:%M:%SZ")
            header = [
                "WARC/1.1", "WARC-Type: response", f"WARC-Record-ID: <urn:uuid:{uuid.uuid4()}>", f"WARC-Date: {date}",
                f"WARC-Target-URI: {url}", "Content-Type: application/http; msgtype=response",
                f"WARC-Payload-Digest: sha256:{hashlib.sha256(body).hexdigest()}", f"Content-Length: {len(block)}",
            ]
            out.write("\r\n".join(header).encode() + b"\r\n\r\n" + block + b"\r\n\r\n")
    return path


def archive(work):
    page = (HERE / "egress.html").read_text().replace("LIVE", LIVE).replace("ADDRESS", ADDRESS)
    html, now = "Content-Type: text/html; charset=utf-8", "20260301120000"
    return warc(
        work / "attempts.warc",
        ("https://attempts.example/", now, [html], page),
        ("http://attempts.example/plain", now, [html], page),
        ("https://attempts.example/prerendered", now, [html], "<img src=https://prerendered.live.example/>"),
        ("https://attempts.example/worker.js", now, ["Content-Type: text/javascript"], "fetch('https://sw.live.example/')"),
        ("http://times.example/", "20200101000000", [html], "<title>early</title><p>early"),
        ("http://times.example/", "20240101000000", [html], "<title>late</title><p>late"),
        (
            "http://forger.example/", "20240101000000", [html],
            "<title>forger</title><form method=post action=http://lastlight.invalid/time><input name=time value=2020>"
            "<input name=token value=guess><input name=url value=http://times.example/></form>"
            "<iframe src=http://lastlight.invalid/></iframe>",
        ),
        (
            "https://app.example/", now,
            [html, "Strict-Transport-Security: max-age=31536000; includeSubDomains", "Set-Cookie: a=b; Domain=app.example; "
             "Expires=Wed, 01 Apr 2026 00:00:00 GMT; Secure; HttpOnly", "Set-Cookie: c=d; Secure", "Content-Security-Policy: script-src 'unsafe-inline'"],
            "<title>app</title><p id=out>waiting</p><script>"
            "fetch('https://api.example/data.json', {credentials: 'include', headers: {'x-asked': '1'}})"
            ".then(a => Promise.all([a.json(), a.headers.get('x-total')])).then(([j, n]) => out.textContent = j.answer + ' ' + n)"
            ".catch(e => out.textContent = String(e))</script><script src=https://api.example/blocked.js></script>",
        ),
        ("http://app.example/plain", now, [html], "<title>plain</title>plain"),
        ("https://api.example/blocked.js", now, ["Content-Type: text/javascript"], "document.title = 'not blocked'"),
        (
            "https://api.example/data.json", now,
            ["Content-Type: application/json", "Access-Control-Allow-Origin: https://other.example", "X-Total: 9"], '{"answer": 42}',
        ),
    )


# The replay and its browser


class Opening:
    """`lastlight replay --open` with one browser, again and again."""

    def __init__(self, binary, work, program, display):
        self.binary, self.work, self.program, self.display = binary, work / program, program, display
        self.work.mkdir()
        self.archive = archive(self.work)
        self.temporary = self.work / "tmp"
        self.temporary.mkdir()
        # What a reader doesn't have: a port to look in by, and windows that open without a click.
        self.net_log = self.work / "net.json"
        self.wrapper = self.work / program
        self.wrapper.write_text(
            f'#!/bin/sh\nexec {shutil.which(program)} --remote-debugging-port=0 --disable-popup-blocking --disable-dev-shm-usage "--log-net-log={self.net_log}" "$@"\n'
        )
        self.wrapper.chmod(0o755)

    def __enter__(self):
        self.server = None
        if self.display:
            self.server = subprocess.Popen(
                ["Xvfb", self.display, "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            socket_of = pathlib.Path(f"/tmp/.X11-unix/X{self.display[1:]}")
            wait(socket_of.exists, "Xvfb")
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.terminate()
            self.server.wait()

    def environment(self):
        kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        shown = {"DISPLAY": self.display} if self.display else {}
        return {**kept, **shown, "LASTLIGHT_CHROMIUM": str(self.wrapper), "TMPDIR": str(self.temporary), "HOME": str(self.work)}

    @contextlib.contextmanager
    def visit(self, path, *url):
        """Opens a path, and yields the browser, the ports of interface and proxy, and the process."""
        log = self.work / "replay.txt"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                [self.binary, "replay", path, "--listen", "127.0.0.1:0", "--open", *url],
                stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self.environment(),
            )
        try:
            profiles = lambda: list(self.temporary.glob("lastlight-chromium-*"))  # noqa: E731
            wait(lambda: process.poll() is not None or any((p / "DevToolsActivePort").exists() for p in profiles()), "the browser")
            assert process.poll() is None, log.read_text()
            said = log.read_text()
            ports = [int(said.split(before)[1].split(after)[0]) for before, after in
                     [("lastlight.localhost:", "/"), ("proxy 127.0.0.1:", "\n")]]
            browser = Opened(process, profiles()[0], self.net_log)
            yield browser, *ports, process
            if process.poll() is None:
                browser.close()
            assert process.returncode == 0, f"exit {process.returncode}: {log.read_text()[-2000:]}"
            left = list(self.temporary.iterdir())
            assert not left, f"left behind: {left}"
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def wait(until, what, patience=60):
    deadline = time.monotonic() + patience
    while not (found := until()):
        assert time.monotonic() < deadline, f"{what} isn't there in {patience} s"
        time.sleep(0.05)
    return found


def opens(browser, url, patience=60):
    """Opens a page that need not go quiet."""
    browser.command("Page.navigate", {"url": url}, browser.page)
    browser.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'", timeout=patience)


def tries(browser, url, where=None):
    """Opens the page that tries, itself or within the page at `where`, and says what it tried."""
    browser.begin(where or url)
    done = "typeof tried === 'object' && tried.includes('WebRTC') && tried"
    if where is None:
        done = f"location.href.startsWith({json.dumps(url)}) && {done}"
    deadline = time.monotonic() + 60
    while not (tried := browser.anywhere(done)):
        assert time.monotonic() < deadline, f"{url} doesn't run"
        browser.take(0.1)
    # STUN asks again for some seconds, names and connections are tried more than once.
    end = time.monotonic() + 10
    while time.monotonic() < end:
        browser.take(0.1)
    return tried


# The checks


def control(work):
    """The page from a plain server, in a browser without the isolation: what the others must not do."""
    page = (HERE / "egress.html").read_text().replace("LIVE", LIVE).replace("ADDRESS", ADDRESS)
    (work / "attempts.html").write_text(page)
    with Wire() as wire, Chromium(["--host-resolver-rules=EXCLUDE 127.0.0.1", "--allow-file-access-from-files"]) as browser:
        tries(browser, (work / "attempts.html").as_uri())
    seen = {(said[0], said[3], said[4]) for said in wire.left}
    for expected in [("udp", RESOLVER, 53), ("udp", ADDRESS, 3478), ("tcp begun", ADDRESS, 80)]:
        assert expected in seen, f"{expected} isn't among what was seen:\n  {few(sorted(seen))}"
    return f"{len(wire.left)} packets"


def ordinary(binary, work):
    """The same page where a reader has it without `--open`: at origins of its own, and at one host name."""
    (work / "ordinary").mkdir()
    with replay(binary, archive(work / "ordinary"), work / "ordinary") as port:
        for shell in [f"http://lastlight.localhost:{port}", f"http://127.0.0.1:{port}"]:
            url = "https://attempts.example/"
            with Wire() as wire, Chromium(["--host-resolver-rules=EXCLUDE 127.0.0.1"]) as browser:
                tried = tries(browser, url, f"{shell}/view/attempts/20260301120000/{url}")
            assert len(tried) >= 24, tried
            assert not wire.left, f"at {shell} there left:\n  {few(wire.left)}"
    return f"nothing, for {len(tried)} attempts by scripts and those by elements, in both modes"


def nothing_to_open_with(binary, work):
    empty = {"PATH": str(work), "HOME": str(work)}
    for environment, words in [
        (empty, ["no Chromium was found", "Debian", "--proxy"]),
        ({**empty, "LASTLIGHT_CHROMIUM": "/nowhere"}, ["/nowhere", "no file"]),
        ({**empty, "LASTLIGHT_CHROMIUM": "/bin/true"}, ["needs a display", "--proxy"]),
        ({**empty, "LASTLIGHT_CHROMIUM": "/bin/false", "DISPLAY": ":1"}, ["the browser failed", "--proxy"]),
    ]:
        ran = subprocess.run([binary, "replay", DEMO, "--listen", "127.0.0.1:0", "--open"], env=environment, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 4, f"exit {ran.returncode}: {ran.stderr}"
        assert all(word in ran.stderr for word in words), ran.stderr


def egress(opening):
    """Nothing of what a page tries leaves loopback."""
    with Wire() as wire, opening.visit(opening.archive, "https://attempts.example/") as (browser, interface, proxy, _):
        devtools = int((pathlib.Path(browser.profile) / "DevToolsActivePort").read_text().split()[0])
        tried = tries(browser, "https://attempts.example/")
        tried += tries(browser, "http://attempts.example/plain")
        candidates = browser.evaluate("candidates")
        assert not candidates, f"WebRTC found addresses: {candidates}"
        ask = f"http://lastlight.localhost:{interface}/-/missing/attempts/20260301120000"
        request = urllib.request.Request(ask.replace("lastlight.localhost", "127.0.0.1"), headers={"Host": f"lastlight.localhost:{interface}"})
        missing = json.load(urllib.request.urlopen(request))
        browser.screenshot(opening.work / "egress.png")
    wire.assert_silent(interface, proxy, devtools)
    # They were tried, and came to the proxy.
    asked = {urllib.parse.urlsplit(each["url"]).hostname.split(".")[0] for each in missing["urls"]}
    expected = {
        "image", "style", "script", "import", "font", "frame", "refresh", "form", "location", "video", "websocket", "eventsource",
        "beacon", "fetch", "keepalive", "xhr", "open", "worker", "workersocket", "dynamicimport",
    }
    assert not expected - asked, f"never asked for: {sorted(expected - asked)}"
    return f"{len(tried)} attempts by scripts, {missing['total']} requests refused, {len(wire.within)} packets on loopback"


def demo(opening):
    """The demo's site is at its own addresses, with pictures and styles."""
    with opening.visit(DEMO) as (browser, _, _, _):
        url = "http://inquiry.localhost:8431/"
        targets = lambda: {target["url"] for target in browser.command("Target.getTargets")["targetInfos"]}  # noqa: E731
        wait(lambda: url in targets(), f"the first seed's page among {targets()}")
        for path in ["", "evidence/", "map/", "hearings/"]:
            browser.forget()
            browser.navigate(url + path)
            state = browser.evaluate(STATE)
            assert browser.evaluate("location.href") == url + path
            wrong = state["blank"] + state["broken"] + state["fonts"] + [line for line in browser.console if "favicon" not in line]
            assert not wrong, f"{path}: {few(wrong)}"
            assert state["text"].strip() and state["sheets"], state
            browser.screenshot(opening.work / f"demo-{path.strip('/') or 'home'}.png")
        assert len(browser.evaluate("[...document.querySelectorAll('#hearings > li h3')]")) == 7
        browser.navigate(url + "never/")
        text = browser.evaluate("document.body.innerText")
        assert "Not in this archive" in text and url + "never/" in text and "Captured nearby" in text, text
        browser.screenshot(opening.work / "demo-missing.png")


def other_time(opening):
    """The time is chosen by a form, and by none that an archived page makes."""
    with opening.visit(opening.archive, "http://times.example/") as (browser, interface, _, _):
        opens(browser, "http://times.example/")
        assert browser.evaluate("document.title") == "late"
        browser.navigate("http://lastlight.invalid/?url=http%3A%2F%2Ftimes.example%2F")
        browser.screenshot(opening.work / "picker.png")
        rows = "[...document.querySelectorAll('td form')]"
        assert browser.evaluate(f"{rows}.length") == 2
        browser.follow(f"{rows}[0].querySelector('button').click()")
        assert browser.evaluate("location.href + document.title") == "http://times.example/early"
        browser.navigate("http://lastlight.invalid/")
        browser.evaluate("document.querySelector('input[name=time]').value = '2025-02'")
        browser.follow("document.querySelector('form[method=post] button').click()")
        assert "01 Feb 2025" in browser.evaluate("document.body.innerText"), browser.evaluate("document.body.innerText")
        opens(browser, "http://times.example/")
        assert browser.evaluate("document.title") == "late"
        opens(browser, "http://forger.example/")
        browser.until("Boolean(document.querySelector('iframe'))")
        browser.follow("document.forms[0].submit()")
        assert "isn't of this run's own page" in browser.evaluate("document.body.innerText")
        opens(browser, "http://times.example/")
        assert browser.evaluate("document.title") == "late", "an archived page changed the time"
        # The interface is there too.
        browser.navigate(f"http://lastlight.localhost:{interface}/")
        assert "What was kept" in browser.evaluate("document.body.innerText")


def sharing(opening):
    """A page reads another origin's data, though it was recorded for others."""
    with opening.visit(opening.archive, "https://app.example/") as (browser, _, _, _):
        opens(browser, "https://app.example/")
        out = browser.until("document.getElementById('out').textContent !== 'waiting' && document.getElementById('out').textContent")
        assert out == "42 9", out
        assert browser.evaluate("document.title") == "app", "its own policy isn't kept"
        assert browser.evaluate("document.cookie") == "c=d"
        cookies = browser.command("Network.getCookies", {"urls": ["https://sub.app.example/"]}, browser.page)["cookies"]
        assert [(c["name"], c["domain"]) for c in cookies] == [("a", ".app.example")], cookies


def secure(opening):
    """A site that wanted to be asked by TLS alone is seen at its http addresses too."""
    with opening.visit(opening.archive, "https://app.example/") as (browser, _, _, _):
        opens(browser, "https://app.example/")
        opens(browser, "http://app.example/plain")
        # A capture by http answers for https.
        opens(browser, "https://app.example/plain")
        assert browser.evaluate("isSecureContext && document.title") == "plain"


def from_the_interface(opening):
    """A button of the interface opens the page in such a browser."""
    log = opening.work / "replay.txt"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [opening.binary, "replay", opening.archive, "--listen", "127.0.0.1:0"],
            stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=opening.environment(),
        )
    try:
        told = wait(lambda: re.search(r"lastlight\.localhost:(\d+)", log.read_text()), "the replay")
        port = int(told[1])
        host = f"lastlight.localhost:{port}"
        path = "/c/attempts/open?url=http%3A%2F%2Ftimes.example%2F&time=20200101000000"

        def press(**fields):
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=b"", headers={"Host": host, **fields})
            try:
                answer = urllib.request.urlopen(request)
            except urllib.error.HTTPError as error:
                answer = error
            return answer.status, answer.read().decode()

        for origin in ["null", "http://evil.example", f"http://h-times-example.20200101000000.attempts.{host}"]:
            assert press(Origin=origin)[0] == 405, f"the button works from {origin}"
        profiles = lambda: list(opening.temporary.glob("lastlight-chromium-*"))  # noqa: E731
        assert not profiles()
        status, page = press(Origin=f"http://{host}")
        if opening.display is None:
            assert status == 503 and "shows no window" in page, page
            return "without a window it says so"
        assert status == 200 and "A browser window opens" in page, page
        wait(lambda: [port for profile in profiles() for port in profile.glob("DevToolsActivePort")], "the browser")
        browser = Opened(process, profiles()[0], opening.net_log)
        opens(browser, "http://times.example/")
        assert browser.evaluate("document.title") == "early"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    wait(lambda: not profiles(), "the browser's end")


def ends_on_signal(opening):
    """Told to end, it ends the browser and leaves nothing."""
    with opening.visit(opening.archive, "http://times.example/") as (_, _, _, process):
        process.send_signal(signal.SIGINT)
        process.wait(20)


if __name__ == "__main__":
    sys.exit(main())
