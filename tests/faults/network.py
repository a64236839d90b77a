#!/usr/bin/env python3
"""Crawls while the network goes, and comes back or doesn't. Runs itself in a network of its own.

    tests/faults/network.py target/release/lastlight WORKDIR
    tests/faults/network.py target/release/lastlight WORKDIR --long    ten minutes without, twice, as well

Two hosts, known by name, stand at addresses that this machine has until they are
taken away: then there is no way to them, and names can't be looked up either. The
second host is named by every page and was never asked before. A third is a site
by itself. The resolver says nothing, or what a router says that has lost its line.
Exit 77 where the system allows no network of one's own.
"""

import collections
import contextlib
import csv
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]
import site_server
from checks import Checks

# RFC 2544: never on the internet.
HOSTS = {"site.test": "198.18.0.1", "assets.test": "198.18.0.2", "solo.test": "198.18.0.3"}
RESOLVER = "198.18.0.53"
NOT_ALLOWED = 77


def main():
    binary, work = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
    if "INSIDE" not in os.environ:
        unshare = ["unshare", "--net", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
        if subprocess.run([*unshare, "true"], capture_output=True).returncode:
            return NOT_ALLOWED
        own = [*unshare, sys.executable, __file__, binary, work, *sys.argv[3:]]
        return subprocess.run(own, env={**os.environ, "INSIDE": "1"}).returncode
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    checks = Checks("network")
    with Network(work) as network:
        bench = Bench(binary, work, network)
        in_minutes = (nearly_ten_minutes, ten_minutes) if "--long" in sys.argv else ()
        for check in (short, long, unplugged, silent_host, lost_line, mute_resolver, lame_name, cut, few_files, *in_minutes):
            checks.run(check.__doc__.rstrip("."), check, bench)
    return checks.done()


class Network:
    """The addresses, the names, and the servers behind them."""

    def __init__(self, work):
        self.hosts = work / "hosts"
        self.hosts.write_text("")
        resolver = work / "resolv.conf"
        self.resolver = resolver
        self.usual_resolver()
        for own, system in [(self.hosts, "/etc/hosts"), (resolver, "/etc/resolv.conf")]:
            subprocess.run(["mount", "--bind", own, system], check=True)
        run("ip", "link", "set", "lo", "up")
        self.server = site_server.Server(("0.0.0.0", 8000), Handler)
        self.server.went = threading.Event()
        self.server.hangs = threading.Event()

    def usual_resolver(self):
        self.resolver.write_text(f"nameserver {RESOLVER}\noptions timeout:1 attempts:1\n")

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.comes()
        return self

    def __exit__(self, *_):
        self.server.shutdown()

    def comes(self):
        for address in HOSTS.values():
            run("ip", "address", "replace", f"{address}/32", "dev", "lo")
        self.hosts.write_text("".join(f"{address} {name}\n" for name, address in HOSTS.items()))

    def goes(self, *names):
        for name, address in HOSTS.items():
            if not names or name in names:
                run("ip", "address", "del", f"{address}/32", "dev", "lo")
        kept = [name for name in HOSTS if names and name not in names]
        self.hosts.write_text("".join(f"{HOSTS[name]} {name}\n" for name in kept))


class Resolver:
    """Answers for names by a function that gives a code, an address, or nothing at all."""

    def __init__(self, answer):
        run("ip", "address", "replace", f"{RESOLVER}/32", "dev", "lo")
        self.answer = answer
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((RESOLVER, 53))
        self.socket.settimeout(0.1)
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.ends.is_set():
            try:
                asked, client = self.socket.recvfrom(600)
            except TimeoutError:
                continue
            name, end = [], 12
            while asked[end]:
                name.append(asked[end + 1 : end + 1 + asked[end]].decode())
                end += 1 + asked[end]
            answer = self.answer(".".join(name))
            if answer is None:
                continue
            question, kind = asked[12 : end + 5], asked[end + 2]
            is_address = isinstance(answer, str)
            found = b""
            if is_address and kind == 1:
                found = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4" + socket.inet_aton(answer)
            code = 0 if is_address else answer
            counts = b"\0\1" + bytes([0, bool(found)]) + bytes(4)
            self.socket.sendto(asked[:2] + bytes([0x81, 0x80 | code]) + counts + question + found, client)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        self.socket.close()
        run("ip", "address", "del", f"{RESOLVER}/32", "dev", "lo")


SERVFAIL, NXDOMAIN = 2, 3


class Handler(site_server.Handler):
    """Pages take a moment; those of the first host name a picture of the second each."""

    def do_GET(self):
        if not self.headers["Host"].startswith("assets."):
            time.sleep(0.05)
        return super().do_GET()

    def answer(self, status, bytes_, *fields):
        if bytes_.startswith(b"<!doctype"):
            number = self.path.rsplit("/", 1)[-1] or "0"
            if self.headers["Host"].startswith("site."):
                bytes_ += f"<img src=http://assets.test:8000/image/{number}.bin>".encode()
            if number == "4":
                self.server.went.set()
            if number == "8" and self.server.hangs.is_set():
                self.send_response_only(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(bytes_)))
                self.end_headers()
                self.wfile.write(bytes_[:1000])
                self.wfile.flush()
                return time.sleep(20)
        super().answer(status, bytes_, *fields)


class Bench:
    def __init__(self, binary, work, network):
        self.binary, self.work, self.network = binary, work, network
        whole = work / "whole"
        ran = self.crawl(whole, "1m")
        code = ran.wait()
        if code != 0:
            raise AssertionError(f"the untouched crawl ends with {code}: {ran.stderr.read()}")
        self.expected = outcome(whole)
        self.bench_of_one(work / "whole-solo")
        if not any("assets.test" in url for url in self.expected):
            raise AssertionError("the second host isn't asked")

    def bench_of_one(self, whole):
        """What a crawl of the site that is by itself gives."""
        self.ends(self.crawl(whole, "1m", seed="solo.test"), 0)
        self.expected_of_one = outcome(whole)

    def crawl(self, into, outage, command=None, seed="site.test", retries=1, files=None):
        self.network.server.requests = collections.Counter()
        self.network.server.went.clear()
        settings = self.work / f"{outage}-{retries}.toml"
        settings.write_text(
            f'[politeness]\noutage = "{outage}"\n[address]\nallow = ["198.18.0.0/15"]\n'
            f'[storage]\ncommit_every = "20ms"\nmin_free = "0 B"\n[limits]\nidle = "5s"\n[fetch]\nretries = {retries}\nconnect_timeout = "5s"\n'
        )
        command = command or [self.binary, "crawl", f"http://{seed}:8000/", "--into", into, "--config", settings]
        command += ["--delay", "0", "--connections", "40" if files else "1"] if "crawl" in command else []
        command = ["prlimit", f"--nofile={files}:{files}", *command] if files else command
        return subprocess.Popen([*command, "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def resume(self, snapshot):
        return self.crawl(snapshot, "1m", [self.binary, "resume", snapshot])

    def goes_amid(self, *names):
        if not self.network.server.went.wait(30):
            raise AssertionError("the crawl doesn't get on")
        self.network.goes(*names)

    def ends(self, ran, code, seconds=60):
        try:
            _, errors = ran.communicate(timeout=seconds)
        finally:
            ran.kill()
        if ran.returncode != code:
            raise AssertionError(f"exit {ran.returncode}, not {code}: {errors}")
        return errors

    def is_whole(self, snapshot, expected=None):
        found, expected = outcome(snapshot), expected or self.expected
        differ = [(url, found.get(url), row) for url, row in expected.items() if found.get(url) != row]
        if differ or len(found) != len(expected):
            raise AssertionError(f"{len(found)} URLs instead of {len(expected)}; other: {differ[:3]}")

    def stops(self, ran, snapshot, seconds=120):
        """It stops with exit 3, and no URL has failed; gives how many are left."""
        self.ends(ran, 3, seconds)
        found = outcome(snapshot)
        if failed := [url for url, row in found.items() if row[0] == "failed"]:
            raise AssertionError(f"burned: {failed[:5]}")
        return sum(row[0] == "unreached" for row in found.values())

    def goes_on(self, snapshot, expected=None):
        """The network returns, and a resume completes it."""
        self.network.comes()
        self.ends(self.resume(snapshot), 0)
        self.is_whole(snapshot, expected)

    def stops_whole(self, ran, snapshot):
        """It stops so, and is completed by the network's return."""
        self.stops(ran, snapshot)
        self.goes_on(snapshot, self.expected_of_one)


def run(*command):
    subprocess.run(command, check=True)


def outcome(snapshot):
    with open(snapshot / "reports" / "ledger.csv", newline="") as rows:
        return {row["url"]: (row["state"], row["payload_digest"]) for row in csv.DictReader(rows)}


def short(bench, seconds=12, outage="1m"):
    """A network that goes for twelve seconds is waited for, and nothing is missed."""
    snapshot = bench.work / f"short-{seconds}"
    ran = bench.crawl(snapshot, outage)
    bench.goes_amid()
    time.sleep(seconds)
    bench.network.comes()
    errors = bench.ends(ran, 0)
    if "nobody answers" not in errors:
        raise AssertionError(f"the crawl tells nothing of it: {errors}")
    bench.is_whole(snapshot)


def nearly_ten_minutes(bench):
    """One that goes for nine and a half minutes is, too."""
    short(bench, 570, "10m")


def long(bench, outage="3s"):
    """One that stays away for longer than it may stops the crawl with exit 3; no URL has failed; resume completes it."""
    snapshot = bench.work / f"long-{outage}"
    ran = bench.crawl(snapshot, outage)
    bench.goes_amid()
    began = time.monotonic()
    unreached = bench.stops(ran, snapshot, 700)
    waited = time.monotonic() - began
    bench.goes_on(snapshot)
    return f"after {waited:.0f} s {unreached} URLs were left unreached"


def ten_minutes(bench):
    """Ten minutes without a network are longer than it may, where nobody says otherwise."""
    return long(bench, "10m")


def unplugged(bench):
    """Resumed without a network it stops with exit 3 again, and loses nothing."""
    snapshot = bench.work / "unplugged"
    ran = bench.crawl(snapshot, "3s")
    bench.goes_amid()
    bench.stops(ran, snapshot)
    bench.stops(bench.crawl(snapshot, "3s", [bench.binary, "resume", snapshot]), snapshot)
    bench.goes_on(snapshot)


def silent_host(bench):
    """A host that goes alone is its own outage: the rest is captured, and its URLs fail."""
    snapshot = bench.work / "alone"
    ran = bench.crawl(snapshot, "3s")
    bench.goes_amid("assets.test")
    bench.ends(ran, 1)
    found = outcome(snapshot)
    wrong = [url for url, row in found.items() if "//site.test" in url and row != bench.expected[url]]
    if wrong:
        raise AssertionError(f"of the host that stayed: {wrong[:5]}")
    failed = sum(row[0] == "failed" for row in found.values())
    bench.network.comes()
    bench.ends(bench.resume(snapshot), 0)
    bench.is_whole(snapshot)
    return f"{failed} URLs failed meanwhile"


def lost_line(bench):
    """A resolver that has a router's own address for every name burns nothing."""
    snapshot = bench.work / "line"
    ran = bench.crawl(snapshot, "3s", seed="solo.test")
    with Resolver(lambda _: "192.168.1.1"):
        bench.goes_amid()
        bench.stops_whole(ran, snapshot)


def mute_resolver(bench):
    """A resolver that swallows questions, waited for as long as systems do, burns nothing of one site."""
    snapshot = bench.work / "mute"
    bench.network.resolver.write_text(f"nameserver {RESOLVER}\nnameserver 198.18.0.54\n")
    ran = bench.crawl(snapshot, "8s", seed="solo.test")
    with Resolver(lambda _: None):
        bench.goes_amid()
        bench.stops_whole(ran, snapshot)
    bench.network.usual_resolver()


def lame_name(bench):
    """A site whose own name servers fail, where other names are answered for, is its own outage."""
    snapshot = bench.work / "lame"
    ran = bench.crawl(snapshot, "3s", seed="solo.test")
    with Resolver(lambda name: SERVFAIL if name == "solo.test" else NXDOMAIN):
        bench.goes_amid()
        errors = bench.ends(ran, 1, 120)
        if "network" in errors:
            raise AssertionError(f"the network is blamed: {errors}")
        failed = sum(row[0] == "failed" for row in outcome(snapshot).values())
        bench.network.comes()
    bench.ends(bench.resume(snapshot), 0)
    bench.is_whole(snapshot, bench.expected_of_one)
    return f"{failed} URLs failed meanwhile"


def cut(bench):
    """An answer that the network's end cuts isn't a try, though there is only one."""
    snapshot = bench.work / "cut"
    bench.network.server.hangs.set()
    ran = bench.crawl(snapshot, "3s", seed="solo.test", retries=0)
    if not bench.network.server.went.wait(30):
        raise AssertionError("the crawl doesn't get on")
    time.sleep(2)
    bench.network.goes()
    bench.network.server.hangs.clear()
    bench.stops_whole(ran, snapshot)


def few_files(bench):
    """Where no more files may be opened, no name is said not to exist: exit 3, and resume completes it."""
    stopped = 0
    for files in range(18, 40, 2):
        snapshot = bench.work / f"files-{files}"
        ran = bench.crawl(snapshot, "1m", files=files)
        _, errors = ran.communicate(timeout=60)
        if ran.returncode not in (0, 3, 4) or ran.returncode and "ulimit" not in errors and "open files" not in errors:
            raise AssertionError(f"{files} files: exit {ran.returncode}: {errors}")
        if ran.returncode == 3:
            stopped += 1
            with contextlib.closing(sqlite3.connect(snapshot / "state" / "crawl.sqlite")) as store:
                failed = store.execute("SELECT url, reason, tries FROM url WHERE state = 3 OR state = 0 AND tries > 0").fetchall()
            if failed:
                raise AssertionError(f"{files} files: burned: {failed[:5]}")
            ran = bench.resume(snapshot)
            bench.ends(ran, 0)
        if ran.returncode == 0:
            bench.is_whole(snapshot)
    if not stopped:
        raise AssertionError("every crawl had files enough")
    return f"{stopped} of 11 crawls stopped"


if __name__ == "__main__":
    sys.exit(main())
