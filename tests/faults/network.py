#!/usr/bin/env python3
"""Crawls while the network goes, and comes back or doesn't. Runs itself in a network of its own.

    tests/faults/network.py target/release/lastlight WORKDIR

Two hosts, known by name, stand at addresses that this machine has until they are
taken away: then there is no way to them, and names can't be looked up either. The
second host is named by every page and was never asked before. Exit 77 where the
system allows no network of one's own.
"""

import contextlib
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]
import site_server
from checks import Checks

# RFC 2544: never on the internet.
HOSTS = {"site.test": "198.18.0.1", "assets.test": "198.18.0.2"}
NOT_ALLOWED = 77


def main():
    binary, work = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
    if "INSIDE" not in os.environ:
        unshare = ["unshare", "--net", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
        if subprocess.run([*unshare, "true"], capture_output=True).returncode:
            return NOT_ALLOWED
        return subprocess.run([*unshare, sys.executable, __file__, binary, work], env={**os.environ, "INSIDE": "1"}).returncode
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    checks = Checks("network")
    with Network(work) as network:
        bench = Bench(binary, work, network)
        for check in (short, long, unplugged, silent_host):
            checks.run(check.__doc__.rstrip("."), check, bench)
    return checks.done()


class Network:
    """The addresses, the names, and the servers behind them."""

    def __init__(self, work):
        self.hosts = work / "hosts"
        self.hosts.write_text("")
        resolver = work / "resolv.conf"
        resolver.write_text("nameserver 198.18.0.53\noptions timeout:1 attempts:1\n")
        for own, system in [(self.hosts, "/etc/hosts"), (resolver, "/etc/resolv.conf")]:
            subprocess.run(["mount", "--bind", own, system], check=True)
        run("ip", "link", "set", "lo", "up")
        self.server = site_server.Server(("0.0.0.0", 8000), Handler)
        self.server.went = threading.Event()

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


class Handler(site_server.Handler):
    """Pages take a moment; each names a picture of the other host."""

    def do_GET(self):
        if self.headers["Host"].startswith("site."):
            time.sleep(0.05)
        return super().do_GET()

    def answer(self, status, bytes_, *fields):
        if bytes_.startswith(b"<!doctype"):
            number = self.path.rsplit("/", 1)[-1] or "0"
            bytes_ += f"<img src=http://assets.test:8000/image/{number}.bin>".encode()
            if number == "4":
                self.server.went.set()
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
        if not any("assets.test" in url for url in self.expected):
            raise AssertionError("the second host isn't asked")

    def crawl(self, into, outage, command=None):
        self.network.server.requests = site_server.collections.Counter()
        self.network.server.went.clear()
        settings = self.work / f"{outage}.toml"
        settings.write_text(
            f'[politeness]\noutage = "{outage}"\n[address]\nallow = ["198.18.0.0/15"]\n'
            '[storage]\ncommit_every = "20ms"\nmin_free = "0 B"\n[limits]\nidle = "5s"\n[fetch]\nretries = 1\nconnect_timeout = "5s"\n'
        )
        command = command or [self.binary, "crawl", "http://site.test:8000/", "--into", into, "--config", settings]
        command += ["--delay", "0", "--connections", "1"] if "crawl" in command else []
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

    def is_whole(self, snapshot):
        found = outcome(snapshot)
        differ = [(url, found.get(url), row) for url, row in self.expected.items() if found.get(url) != row]
        if differ or len(found) != len(self.expected):
            raise AssertionError(f"{len(found)} URLs instead of {len(self.expected)}; other: {differ[:3]}")


def run(*command):
    subprocess.run(command, check=True)


def outcome(snapshot):
    with open(snapshot / "reports" / "ledger.csv", newline="") as rows:
        return {row["url"]: (row["state"], row["payload_digest"]) for row in csv.DictReader(rows)}


def tries(snapshot):
    """The most tries that a URL was counted."""
    with contextlib.suppress(FileNotFoundError), open(snapshot / "logs" / "crawl.jsonl") as log:
        return sum(json.loads(line)["event"] == "failed" for line in log)
    return 0


def short(bench):
    """A network that goes for twelve seconds is waited for, and nothing is missed."""
    snapshot = bench.work / "short"
    ran = bench.crawl(snapshot, "1m")
    bench.goes_amid()
    time.sleep(12)
    bench.network.comes()
    errors = bench.ends(ran, 0)
    if "nobody answers" not in errors:
        raise AssertionError(f"the crawl tells nothing of it: {errors}")
    bench.is_whole(snapshot)


def long(bench):
    """One that stays away stops the crawl with exit 3; no URL has failed; resume completes it."""
    snapshot = bench.work / "long"
    ran = bench.crawl(snapshot, "3s")
    bench.goes_amid()
    bench.ends(ran, 3)
    found = outcome(snapshot)
    if failed := [url for url, row in found.items() if row[0] == "failed"]:
        raise AssertionError(f"burned: {failed[:5]}")
    unreached = sum(row[0] == "unreached" for row in found.values())
    bench.network.comes()
    bench.ends(bench.resume(snapshot), 0)
    bench.is_whole(snapshot)
    return f"{unreached} URLs were left unreached"


def unplugged(bench):
    """Resumed without a network it stops with exit 3 again, and loses nothing."""
    snapshot = bench.work / "unplugged"
    ran = bench.crawl(snapshot, "3s")
    bench.goes_amid()
    bench.ends(ran, 3)
    bench.ends(bench.crawl(snapshot, "3s", [bench.binary, "resume", snapshot]), 3)
    if failed := [url for url, row in outcome(snapshot).items() if row[0] == "failed"]:
        raise AssertionError(f"burned: {failed[:5]}")
    bench.network.comes()
    bench.ends(bench.resume(snapshot), 0)
    bench.is_whole(snapshot)


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


if __name__ == "__main__":
    sys.exit(main())
