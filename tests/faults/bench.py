"""The small site's crawl: what an untouched one gives, and how one that something was done to is held against it."""

import contextlib
import csv
import gzip
import json
import os
import pathlib
import shutil
import signal
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SETTINGS = """
[storage]
commit_every = "20ms"
min_free = "0 B"
held_keys = 5
log_pages = 40
[warc]
rotate = "20 KB"
[fetch]
retries = 0
"""
PATIENCE = 60


class Bench:
    """The site, the program, and what an untouched crawl gives."""

    def __init__(self, binary, work, seed, requests):
        self.binary, self.work, self.seed, self.requests = binary, work, seed, requests
        self.settings = work / "settings.toml"
        self.settings.write_text(SETTINGS)
        self.shim = work / "shim.so"
        subprocess.run(
            ["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", self.shim, HERE / "shim.c", "-ldl"], check=True
        )
        whole = self.crawl(work / "whole")
        if whole.returncode != 0:
            raise AssertionError(f"the untouched crawl ends with {whole.returncode}: {whole.stderr}")
        self.expected = outcome(work / "whole")
        self.captured = sum(row[0] == "captured" for row in self.expected.values())
        index = (work / "whole" / "indexes" / "index.cdxj").read_text()
        if "warc/revisit" not in index:
            raise AssertionError("the untouched crawl has no revisit: what finds originals isn't tried")
        if len(list((work / "whole" / "archive").iterdir())) < 3:
            raise AssertionError("the untouched crawl has not three WARCs")
        if 0 in self.counted(lambda count: self.crawl(work / "counted", count=count)):
            raise AssertionError("the library sees nothing of the crawl")

    def counted(self, run):
        """How many operations, reads and syncs there are in what `run` does with the file that counts them."""
        counts = self.work / "count"
        run(counts)
        return tuple(int(number) for number in counts.read_text().split())

    def crawl(self, into, **faults):
        shutil.rmtree(into, ignore_errors=True)
        return self.run(self.command(into), into, **faults)

    def command(self, into):
        """What crawls the site."""
        command = [self.binary, "crawl", self.seed, "--into", into, "--config", self.settings]
        return [*command, "--delay", "0", "--connections", "2", "--quiet"]

    def resume(self, snapshot, **faults):
        return self.run([self.binary, "resume", snapshot, "--quiet"], snapshot, **faults)

    def verify(self, snapshot):
        return self.run([self.binary, "verify", snapshot], snapshot)

    def run(self, command, root, **faults):
        return subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE, env=self.environment(root, faults)
        )

    def environment(self, root, faults):
        environment = {**os.environ, "RUST_BACKTRACE": "0"}
        if faults:
            environment |= {"LD_PRELOAD": str(self.shim), "FAULT_ROOT": str(root)}
            environment |= {f"FAULT_{name.upper()}": str(value) for name, value in faults.items()}
        return environment

    def half_done(self):
        """A crawl that was killed half way, to be resumed."""
        snapshot = self.work / "half"
        operations, _, _ = self.counted(lambda count: self.crawl(snapshot, count=count))
        ran = self.crawl(snapshot, at=operations // 2, kind="kill")
        if ran.returncode != -signal.SIGKILL or not acknowledged(snapshot):
            raise AssertionError(f"the crawl wasn't killed half way: exit {ran.returncode}, {ran.stderr}")
        return snapshot

    def torn(self):
        """A crawl that was killed in the middle of the first write to its second WARC."""
        snapshot = self.work / "torn"
        ran = self.crawl(snapshot, at=2, kind="torn", file="-00001.warc")
        start = (snapshot / "archive" / f"{snapshot.name}-00001.warc.gz").read_bytes()
        with contextlib.suppress(EOFError):
            gzip.decompress(start)
            raise AssertionError(f"the second WARC isn't torn: exit {ran.returncode}, {len(start)} bytes")
        return snapshot

    def completes(self, snapshot, what, acknowledged, before):
        """Resumes, and tells in what the result differs from an untouched crawl; False where nothing had begun."""
        if not has_begun(snapshot):
            if acknowledged:
                raise AssertionError(f"{what}: {len(acknowledged)} URLs were acknowledged, and there is no store")
            return False
        ran = self.resume(snapshot)
        if never_began(ran) and not acknowledged:
            return False
        if ran.returncode != 0:
            raise AssertionError(f"{what}: resume ends with {ran.returncode}: {ran.stderr.strip()}")
        self.fetched_none_again(what, acknowledged, before)
        self.is_whole(snapshot, what)
        return True

    def fetched_none_again(self, what, acknowledged, before):
        """Of what had been acknowledged nothing may have been asked for since."""
        again = [path for path in acknowledged if self.requests[path] > before[path]]
        if again:
            raise AssertionError(f"{what}: acknowledged, and fetched again: {again[:5]}")

    def is_whole(self, snapshot, what):
        """Tells in what a crawl that came to its end differs from an untouched one."""
        found = outcome(snapshot)
        if found != self.expected:
            raise AssertionError(f"{what}: {differences(found, self.expected)}")
        verified = self.verify(snapshot)
        if verified.returncode != 0:
            raise AssertionError(f"{what}: verify: {verified.stdout}{verified.stderr}")


def never_began(ran):
    """Before its seeds are committed a crawl has nothing to go on with, and says so."""
    return ran.returncode == 2 and "before it began" in ran.stderr


def has_begun(snapshot):
    return (snapshot / "state" / "crawl.sqlite").exists()


def outcome(snapshot):
    """State, reason, status and payload of each URL. A payload counts, not which of two URLs has the record."""
    with open(snapshot / "reports" / "ledger.csv", newline="") as rows:
        return {row["url"]: (row["state"], row["reason"], row["status"], row["payload_digest"]) for row in csv.DictReader(rows)}


def differences(found, expected):
    missing = sorted(expected.keys() - found.keys())[:3]
    more = sorted(found.keys() - expected.keys())[:3]
    other = [(url, found[url], expected[url]) for url in sorted(found.keys() & expected.keys()) if found[url] != expected[url]][:3]
    return f"missing {missing}, more {more}, other {other}"


def acknowledged(snapshot):
    """Paths of the URLs that the crawl log calls captured."""
    paths = set()
    with contextlib.suppress(FileNotFoundError), open(snapshot / "logs" / "crawl.jsonl", "rb") as log:
        for line in log:
            with contextlib.suppress(ValueError):
                event = json.loads(line)
                if event["event"] == "captured":
                    paths.add("/" + event["url"].split("/", 3)[3])
    return paths


def check_end(ran, what):
    """A failed crawl says so, with an exit code of the contract, and no panic."""
    if ran.returncode not in (0, 1, 3, 4) or "panicked" in ran.stderr:
        raise AssertionError(f"{what}: exit {ran.returncode}: {ran.stderr.strip()}")
    if ran.returncode in (3, 4) and "lastlight:" not in ran.stderr:
        raise AssertionError(f"{what}: exit {ran.returncode} without a word: {ran.stderr.strip()}")


def acknowledged_in(log):
    paths = set()
    for line in bytes(log).splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if event.get("event") == "captured":
                paths.add("/" + event["url"].split("/", 3)[3])
    return paths


def some_of(cases, chance, share, few):
    """One of so many cases, beginning anywhere, in their order; where `share` is 0, a few."""
    if share:
        return list(cases)[chance.randrange(share) :: share]
    return sorted(chance.sample(cases, min(len(cases), few)), key=list(cases).index)


def told(late, ends):
    """How crawls ended; those that a fault came too late for don't count."""
    many = sum(ends.values())
    if late > many / 4:
        raise AssertionError(f"{late} faults came too late, {many} in time")
    return f"{many} faults, {late} too late; exits {', '.join(f'{n} of {code}' for code, n in ends.items() if n)}"
