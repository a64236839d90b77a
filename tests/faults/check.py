#!/usr/bin/env python3
"""Holds the crash contract (docs/crash-contract.md) against a process whose disk fails it.

    tests/faults/check.py target/release/lastlight WORKDIR            a sample of each, about a minute
    tests/faults/check.py target/release/lastlight WORKDIR --long     every operation, every kind, 1,000 kills
    tests/faults/check.py ... --only power --seed 7

Each crawl is of the same small site. After each fault the crawl is resumed without
one, and must then be what an untouched crawl is: the same URLs in the same states
with the same payloads, `verify` without a finding, and nothing fetched twice that
had been acknowledged. What is acknowledged is what the crawl log names: it is
written after the commit.

errors   operation N fails, for every N: EIO, ENOSPC (once, or from then on), short write
reads    read N of a crawl, or of the resume of one that was killed, fails
power    a trace of all writes and syncs is cut at every operation; what wasn't synced is lost,
         kept, or some of it, torn
kills    SIGKILL at random moments of crawl and resume
full     a real tmpfs of 700 kB
clock    the clock of the day jumps back and forth by days under a crawl
network  tests/faults/network.py: there is none for a while, names can't be looked up
"""

import argparse
import contextlib
import csv
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers")]
import disk
from checks import Checks
from site_server import site

SETTINGS = """
[storage]
commit_every = "20ms"
min_free = "0 B"
held_keys = 5
[warc]
rotate = "100 KB"
[fetch]
retries = 0
"""
PATIENCE = 60
KINDS = ("eio", "enospc", "short", "enospc+")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("binary")
    options.add_argument("workdir")
    options.add_argument("--long", action="store_true", help="everything, in hours rather than a minute")
    options.add_argument("--only", choices=["errors", "reads", "power", "kills", "full", "clock", "network"])
    options.add_argument("--seed", type=int, default=20261126)
    arguments = options.parse_args()
    work = pathlib.Path(arguments.workdir).absolute() / "faults"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    checks = Checks("faults")
    with site() as (seed, requests):
        bench = Bench(pathlib.Path(arguments.binary).absolute(), work, seed, requests)
        chance = random.Random(arguments.seed)
        for name, check in [("errors", errors), ("reads", reads), ("power", power), ("kills", kills), ("full", full), ("clock", clock), ("network", network)]:
            if arguments.only in (None, name):
                checks.run(check.__doc__.rstrip("."), check, bench, chance, arguments.long)
    return checks.done()


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

    def crawl(self, into, **faults):
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

    def completes(self, snapshot, what, acknowledged, before):
        """Resumes, and tells in what the result differs from an untouched crawl."""
        if not has_begun(snapshot):
            if acknowledged:
                raise AssertionError(f"{what}: {len(acknowledged)} URLs were acknowledged, and there is no store")
            return
        ran = self.resume(snapshot)
        if never_began(ran) and not acknowledged:
            return
        if ran.returncode != 0:
            raise AssertionError(f"{what}: resume ends with {ran.returncode}: {ran.stderr.strip()}")
        self.fetched_none_again(what, acknowledged, before)
        self.is_whole(snapshot, what)

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


def errors(bench, chance, long):
    """Operation N of a crawl fails, and resume completes it."""
    counted = bench.work / "count"
    bench.crawl(bench.work / "counted", count=counted)
    total = int(counted.read_text().split()[0])
    cases = [(at, kind) for at in range(1, total + 1) for kind in KINDS]
    if not long:
        cases = sorted(chance.sample(cases, 60))
    ends = dict.fromkeys((0, 1, 3, 4), 0)
    for at, kind in cases:
        what, snapshot = f"operation {at} of about {total}, {kind}", bench.work / "failed"
        shutil.rmtree(snapshot, ignore_errors=True)
        ran = bench.crawl(snapshot, at=at, kind=kind)
        check_end(ran, what)
        ends[ran.returncode] += 1
        if ran.returncode == 0:
            bench.is_whole(snapshot, f"{what}, exit 0")
            continue
        known, before = acknowledged(snapshot), bench.requests.copy()
        if has_begun(snapshot) and ran.returncode == 4:
            raise AssertionError(f"{what}: exit 4 where the crawl can go on: {ran.stderr.strip()}")
        # The resume's own operations fail too, every now and then.
        if chance.random() < 0.3 and has_begun(snapshot):
            again = bench.resume(snapshot, at=chance.randrange(1, total // 2), kind=chance.choice(KINDS))
            bench.fetched_none_again(f"{what}, then in resume", known, before)
            known, before = acknowledged(snapshot), bench.requests.copy()
            if never_began(again) and not known:
                continue
            check_end(again, f"{what}, then in resume")
            if again.returncode == 0:
                bench.is_whole(snapshot, f"{what}, then in resume, exit 0")
                continue
        bench.completes(snapshot, what, known, before)
    return told(cases, ends)


def reads(bench, chance, long):
    """A read of a crawl or of a resume fails, and resume completes it."""
    counted = bench.work / "count"
    killed = bench.work / "half"
    bench.crawl(bench.work / "read", count=counted)
    in_crawl = int(counted.read_text().split()[1])
    # A crawl that was killed half way, and what its resume reads.
    for pause in range(10, 2000, 10):
        shutil.rmtree(killed, ignore_errors=True)
        process = subprocess.Popen(bench.command(killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(pause / 1000)
        process.kill()
        if process.wait() == -signal.SIGKILL and len(acknowledged(killed)) > bench.captured // 3:
            break
    else:
        raise AssertionError("no crawl was killed half way")
    copy = bench.work / "read" / killed.name

    def anew():
        shutil.rmtree(copy.parent, ignore_errors=True)
        shutil.copytree(killed, copy)

    anew()
    bench.resume(copy, count=counted)
    in_resume = int(counted.read_text().split()[1])
    cases = [(at, False) for at in range(1, in_crawl + 1)] + [(at, True) for at in range(1, in_resume + 1)]
    if not long:
        cases = sorted(chance.sample(cases, 40))
    ends = dict.fromkeys((0, 1, 3, 4), 0)
    for at, is_resume in cases:
        what = f"read {at} of about {in_resume if is_resume else in_crawl} of a {'resume' if is_resume else 'crawl'}"
        known, before = set(), bench.requests.copy()
        if is_resume:
            anew()
            snapshot, known = copy, acknowledged(copy)
            ran = bench.resume(snapshot, read=at)
        else:
            snapshot = bench.work / "failed"
            shutil.rmtree(snapshot, ignore_errors=True)
            ran = bench.crawl(snapshot, read=at)
        check_end(ran, what)
        if has_begun(snapshot) and ran.returncode == 4 and acknowledged(snapshot):
            raise AssertionError(f"{what}: exit 4 where the crawl can go on: {ran.stderr.strip()}")
        ends[ran.returncode] += 1
        bench.fetched_none_again(what, known, before)
        if ran.returncode == 0:
            bench.is_whole(snapshot, f"{what}, exit 0")
        else:
            bench.completes(snapshot, what, acknowledged(snapshot), bench.requests.copy())
    return told(cases, ends)


def told(cases, ends):
    return f"{len(cases)} faults; exits {', '.join(f'{n} of {code}' for code, n in ends.items() if n)}"


def power(bench, chance, long):
    """The power goes at any operation, and resume completes what the disk held."""
    trace, original = bench.work / "trace", bench.work / "traced"
    bench.crawl(original, trace=trace)
    ops = disk.read(trace, original)
    per_cut = 6 if long else 1
    cuts = range(len(ops) + 1) if long else sorted(chance.sample(range(len(ops) + 1), 50))
    states, known = 0, set()
    machine, log = disk.Disk(original), bytearray()
    done = 0
    for cut in cuts:
        for op in ops[done:cut]:
            machine.do(op)
            if op.path == "logs/crawl.jsonl" and op.name == "append":
                disk.apply(log, op)
        done = cut
        known = acknowledged_in(log)
        for variant in range(per_cut):
            choice = variant if long else chance.randrange(6)
            # Under the name that it had: WARCs are named by it.
            snapshot = bench.work / "cut" / original.name
            shutil.rmtree(snapshot.parent, ignore_errors=True)
            snapshot.parent.mkdir()
            machine.write(snapshot, *keeping(choice, chance))
            what = f"after operation {cut} of {len(ops)} ({ops[cut - 1].name if cut else ''}), state {choice}"
            bench.completes(snapshot, what, known, bench.requests.copy())
            states += 1
    return f"{states} states of {len(ops)} operations"


def keeping(choice, chance):
    """What of the unsynced is there: nothing, all, or some, whole or torn."""
    if choice == 0:
        return (lambda op: None), (lambda pairs: False)
    if choice == 1:
        return (lambda op: op), (lambda pairs: True)
    if choice == 2:  # names are there, and no bytes
        return (lambda op: None), (lambda pairs: True)
    share = chance.choice((0.2, 0.5, 0.9))
    stop = [False]

    def keep(op):
        if chance.random() > share:
            return None
        return disk.torn(op, chance) if chance.random() < 0.3 else op

    def keep_name(_):
        # A journal loses its end, not its middle.
        stop[0] = stop[0] or chance.random() > share
        return not stop[0]

    return keep, keep_name


def acknowledged_in(log):
    paths = set()
    for line in bytes(log).splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if event.get("event") == "captured":
                paths.add("/" + event["url"].split("/", 3)[3])
    return paths


def kills(bench, chance, long):
    """SIGKILL at any moment, also of a resume, and resume completes it."""
    rounds, in_resume, took = (1000, 200, []) if long else (25, 8, [])
    for _ in range(3):
        began = time.monotonic()
        bench.crawl(bench.work / "timed")
        took.append(time.monotonic() - began)
        shutil.rmtree(bench.work / "timed")
    whole, killed, ended, more = sorted(took)[1], 0, 0, 0
    for number in range(rounds):
        snapshot = bench.work / "killed"
        shutil.rmtree(snapshot, ignore_errors=True)
        began_with = sum(bench.requests.values())
        turns = [bench.command(snapshot)]
        # Recovery is killed once or more before it may come to its end.
        turns += [[bench.binary, "resume", snapshot, "--quiet"]] * (
            chance.randint(1, 3) if number < in_resume else 0
        )
        known, before = set(), bench.requests.copy()
        for turn, command in enumerate(turns):
            if turn and not has_begun(snapshot):
                break
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.random() * whole * (1 if turn == 0 else 0.4))
            process.kill()
            ended_by = process.wait()
            killed += ended_by == -signal.SIGKILL
            ended += ended_by != -signal.SIGKILL
            bench.fetched_none_again(f"kill {number}, turn {turn}", known, before)
            known, before = acknowledged(snapshot), bench.requests.copy()
        bench.completes(snapshot, f"kill {number}", known, before)
        # Each kill costs at most what was on its way, and what wasn't committed.
        if has_begun(snapshot) and (snapshot / "datapackage.json").exists():
            more += sum(bench.requests.values()) - began_with - len(bench.expected)
    return f"{killed} kills, {ended} too late; {more / max(1, killed):.2f} requests more for each"


def full(bench, chance, long):
    """A disk of 700 kB is full: exit 3, nothing lost, and resume goes on when there is room."""
    mount = bench.work / "small"
    mount.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    made = subprocess.run(
        [*as_root, "mount", "-t", "tmpfs", "-o", "size=700k,mode=0777", "tmpfs", mount], capture_output=True, text=True
    )
    if made.returncode != 0:
        return f"not done: no file system may be mounted here ({made.stderr.strip()})"
    try:
        snapshot = mount / "snapshot"
        ran = bench.crawl(snapshot)
        if ran.returncode != 3 or "full" not in ran.stderr:
            raise AssertionError(f"exit {ran.returncode}: {ran.stderr.strip()}")
        known, before = acknowledged(snapshot), bench.requests.copy()
        if bench.resume(snapshot).returncode != 3:
            raise AssertionError("resume on a full disk doesn't end with 3")
        subprocess.run([*as_root, "mount", "-o", "remount,size=64m", mount], check=True)
        bench.completes(snapshot, "when there is room", known, before)
        return f"{len(known)} URLs were acknowledged before"
    finally:
        subprocess.run([*as_root, "umount", mount], check=True)


def clock(bench, chance, long):
    """The clock of the day jumps under a crawl and between its runs, and nothing of it shows but in dates."""
    day = 86_400
    jumps = [f"0:{-day},40:{30 * day},80:{-2 * day},120:0", f"60:{400 * day}", f"60:{-400 * day}", f"0:{-20_000 * day}"]
    for number, jump in enumerate(jumps):
        snapshot = bench.work / f"clock-{number}"
        ran = bench.crawl(snapshot, clock=jump)
        if ran.returncode != 0 or outcome(snapshot) != bench.expected:
            raise AssertionError(f"clock {jump}: exit {ran.returncode}: {ran.stderr.strip()}")
        times = [json.loads(line)["time"] for line in open(snapshot / "logs" / "crawl.jsonl")]
        if times[0][:10] == times[-1][:10] == time.strftime("%Y-%m-%d", time.gmtime()):
            raise AssertionError(f"clock {jump}: it hasn't jumped")
        verified = bench.verify(snapshot)
        if verified.returncode != 0:
            raise AssertionError(f"clock {jump}: verify: {verified.stdout}{verified.stderr}")
        # Killed, and gone on with on another day.
        snapshot = bench.work / f"clock-{number}-killed"
        process = subprocess.Popen(bench.command(snapshot), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.15)
        process.kill()
        process.wait()
        if not has_begun(snapshot) or never_began(ran := bench.resume(snapshot, clock=jump)):
            continue
        if ran.returncode != 0 or outcome(snapshot) != bench.expected:
            raise AssertionError(f"resume, clock {jump}: exit {ran.returncode}: {ran.stderr.strip()}")
        verified = bench.verify(snapshot)
        if verified.returncode != 0:
            raise AssertionError(f"resume, clock {jump}: verify: {verified.stdout}{verified.stderr}")
    return f"{len(jumps)} ways, each in a crawl and in a resume"


def network(bench, chance, long):
    """Without a network the crawl waits, or stops with exit 3, and burns nothing."""
    ran = subprocess.run(
        [sys.executable, HERE / "network.py", bench.binary, bench.work / "network"], capture_output=True, text=True, timeout=600
    )
    if ran.returncode == 77:
        return "not done: no network of one's own may be made here"
    if ran.returncode != 0:
        raise AssertionError(ran.stdout + ran.stderr)
    return ran.stdout.splitlines()[-1]


if __name__ == "__main__":
    sys.exit(main())
