#!/usr/bin/env python3
"""Holds the crash contract (docs/crash-contract.md) against a process whose disk fails it.

    tests/faults/check.py target/release/lastlight WORKDIR            a sample of each, about a minute
    tests/faults/check.py target/release/lastlight WORKDIR --long     every operation, every kind, 1,000 kills
    tests/faults/check.py ... --only power --seed 7
    tests/faults/check.py ... --long --share 4                        one of four cases of that

Each crawl is of the same small site. After each fault the crawl is resumed without
one, and must then be what an untouched crawl is: the same URLs in the same states
with the same payloads, `verify` without a finding, and nothing fetched twice that
had been acknowledged. What is acknowledged is what the crawl log names: it is
written after the commit.

errors   operation N fails, for every N: EIO, ENOSPC (once, or from then on), short write
reads    read N of a crawl, or of the resume of one that was killed, fails
power    a trace of all writes and syncs is cut at every operation, of a crawl and of a resume; what
         wasn't synced is lost, kept, or some of it, torn
syncs    sync N fails and loses what it covered; then the power goes in the resume, or after it
kills    SIGKILL at random moments of crawl and resume, and before every operation
full     a real tmpfs of some hundred kB
clock    the clock of the day jumps back and forth by days under a crawl
network  tests/faults/network.py: there is none for a while, names can't be looked up
"""

import argparse
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
from bench import Bench, acknowledged, check_end, has_begun, never_began, outcome, some_of, told
from checks import Checks
from cuts import power, power_in_resume, syncs
from site_server import site

KINDS = ("eio", "enospc", "short", "enospc+")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("binary")
    options.add_argument("workdir")
    options.add_argument("--long", action="store_true", help="everything, in hours rather than minutes")
    options.add_argument("--share", type=int, default=1, metavar="N", help="with --long: one of N cases")
    options.add_argument("--only", choices=dict(CHECKS))
    options.add_argument("--seed", type=int, default=20261126)
    arguments = options.parse_args()
    # Resolved: the library compares paths.
    work = pathlib.Path(arguments.workdir).resolve() / "faults"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    checks = Checks("faults")
    with site() as (seed, requests):
        bench = Bench(pathlib.Path(arguments.binary).absolute(), work, seed, requests)
        chance = random.Random(arguments.seed)
        for name, parts in CHECKS.items():
            for check in parts if arguments.only in (None, name) else ():
                checks.run(check.__doc__.rstrip("."), check, bench, chance, arguments.share if arguments.long else 0)
    return checks.done()


def errors(bench, chance, long):
    """Operation N of a crawl fails, and resume completes it."""
    total, _, _ = bench.counted(lambda count: bench.crawl(bench.work / "counted", count=count))
    cases, counts = [(at, kind) for at in range(1, total + 1) for kind in KINDS], bench.work / "count"
    cases = some_of(cases, chance, long, 45)
    ends, late = dict.fromkeys((0, 1, 3, 4), 0), 0
    for at, kind in cases:
        what, snapshot = f"operation {at} of about {total}, {kind}", bench.work / "failed"
        ran = bench.crawl(snapshot, at=at, kind=kind, count=counts)
        check_end(ran, what)
        if int(counts.read_text().split()[0]) < at:
            late += 1  # it had fewer operations this time
            continue
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
    return told(late, ends)


def reads(bench, chance, long):
    """A read of a crawl or of a resume fails, and resume completes it."""
    killed, failed = bench.half_done(), bench.work / "failed"
    copy = bench.work / "read" / killed.name

    def anew():
        shutil.rmtree(copy.parent, ignore_errors=True)
        shutil.copytree(killed, copy)
        return copy

    _, in_crawl, _ = bench.counted(lambda count: bench.crawl(failed, count=count))
    _, in_resume, _ = bench.counted(lambda count: bench.resume(anew(), count=count))
    cases = [(at, False) for at in range(1, in_crawl + 1)] + [(at, True) for at in range(1, in_resume + 1)]
    cases = some_of(cases, chance, long, 30)
    ends, late, counts = dict.fromkeys((0, 1, 3, 4), 0), 0, bench.work / "count"
    for at, is_resume in cases:
        what = f"read {at} of about {in_resume if is_resume else in_crawl} of a {'resume' if is_resume else 'crawl'}"
        known, before = set(), bench.requests.copy()
        if is_resume:
            snapshot = anew()
            known = acknowledged(snapshot)
            ran = bench.resume(snapshot, read=at, count=counts)
        else:
            snapshot = failed
            ran = bench.crawl(snapshot, read=at, count=counts)
        check_end(ran, what)
        if int(counts.read_text().split()[1]) < at:
            late += 1
            continue
        if has_begun(snapshot) and ran.returncode == 4 and acknowledged(snapshot):
            raise AssertionError(f"{what}: exit 4 where the crawl can go on: {ran.stderr.strip()}")
        ends[ran.returncode] += 1
        bench.fetched_none_again(what, known, before)
        if ran.returncode == 0:
            bench.is_whole(snapshot, f"{what}, exit 0")
        else:
            bench.completes(snapshot, what, acknowledged(snapshot), bench.requests.copy())
    return told(late, ends)


def moments(bench, chance, long):
    """SIGKILL before any operation of a crawl, or of a resume, its recovery too, or in the middle of a write."""
    copies = bench.work / "moment"
    kill = {"kind": "kill"}

    def anew(killed):
        shutil.rmtree(copies, ignore_errors=True)
        copies.mkdir()
        return shutil.copytree(killed, copies / killed.name)

    in_crawl, _, _ = bench.counted(lambda count: bench.crawl(bench.work / "counted", count=count))
    to_warcs, _, _ = bench.counted(lambda count: bench.crawl(bench.work / "counted", count=count, file=".warc"))
    cases = some_of([(None, at, kill) for at in range(1, in_crawl + 1)], chance, long, 10)
    torn = [(None, at, {"kind": "torn", "file": ".warc"}) for at in range(1, to_warcs + 1)]
    cases += some_of(torn, chance, long, 8)
    # Killed half way; and with a WARC of which nothing can be kept.
    for killed in (bench.half_done(), bench.torn()):
        in_resume, _, _ = bench.counted(lambda count: bench.resume(anew(killed), count=count))
        # Recovery is what a resume begins with.
        first = [(killed, at, kill) for at in range(1, 81)]
        cases += some_of(first, chance, long, 10)
        cases += some_of([(killed, at, kill) for at in range(81, in_resume + 1)], chance, long, 3)
    in_time = again = 0
    for killed, at, fault in cases:
        what = f"operation {at} of a {'resume of ' + killed.name if killed else 'crawl'}, {fault}"
        snapshot = anew(killed) if killed else bench.work / "killed"
        known, before = acknowledged(snapshot) if killed else set(), bench.requests.copy()
        ran = bench.resume(snapshot, at=at, **fault) if killed else bench.crawl(snapshot, at=at, **fault)
        for _ in range(4):
            if ran.returncode not in (0, -signal.SIGKILL) and not never_began(ran):
                raise AssertionError(f"{what}: exit {ran.returncode}: {ran.stderr.strip()}")
            bench.fetched_none_again(what, known, before)
            known, before = acknowledged(snapshot), bench.requests.copy()
            in_time += ran.returncode == -signal.SIGKILL
            if chance.random() > 0.3 or not has_begun(snapshot):
                break
            # The next one is killed too, most often while it recovers.
            again += 1
            ran = bench.resume(snapshot, at=chance.randrange(1, chance.choice((40, in_resume))), kind="kill")
        else:
            bench.fetched_none_again(what, known, before)
            known, before = acknowledged(snapshot), bench.requests.copy()
        bench.completes(snapshot, what, known, before)
    if in_time < len(cases) * 0.8:
        raise AssertionError(f"{in_time} kills of {len(cases)}")
    return f"{in_time} kills; {again} resumes were to be killed after another"


def kills(bench, chance, long):
    """SIGKILL at any moment, also of a resume, and resume completes it."""
    rounds, in_resume, took = (1000 // long, 200 // long, []) if long else (25, 8, [])
    for _ in range(3):
        began = time.monotonic()
        bench.crawl(bench.work / "timed")
        took.append(time.monotonic() - began)
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
            more += sum(bench.requests.values()) - began_with - bench.captured
    each = more / max(1, killed)
    if each > 5:
        raise AssertionError(f"{each:.2f} requests more for each of {killed} kills")
    return f"{killed} kills, {ended} too late; {each:.2f} requests more for each"


def full(bench, chance, long):
    """A disk of some hundred kB is full: exit 3, nothing lost, and resume goes on when there is room."""
    mount = bench.work / "small"
    mount.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    ends, known_of_all = dict.fromkeys((0, 3, 4), 0), 0
    for size in range(100, 4000, 100) if long else (250, 1600, 2200):
        made = subprocess.run(
            [*as_root, "mount", "-t", "tmpfs", "-o", f"size={size}k,mode=0777", "tmpfs", mount], capture_output=True, text=True
        )
        if made.returncode != 0:
            return f"not done: no file system may be mounted here ({made.stderr.strip()})"
        try:
            snapshot, what = mount / "snapshot", f"{size} kB"
            ran = bench.crawl(snapshot)
            check_end(ran, what)
            ends[ran.returncode] += 1
            if ran.returncode == 0:
                bench.is_whole(snapshot, what)
                continue
            if "full" not in ran.stderr or has_begun(snapshot) and ran.returncode != 3 and acknowledged(snapshot):
                raise AssertionError(f"{what}: exit {ran.returncode}: {ran.stderr.strip()}")
            known, before = acknowledged(snapshot), bench.requests.copy()
            resumed = bench.resume(snapshot).returncode if known else 3
            bench.fetched_none_again(what, known, before)
            known, before = acknowledged(snapshot), bench.requests.copy()
            if resumed == 0:  # there was room for what was left to do
                bench.is_whole(snapshot, f"{what}, resumed")
            elif resumed != 3:
                raise AssertionError(f"{what}: resume on a full disk ends with {resumed}")
            subprocess.run([*as_root, "mount", "-o", "remount,size=64m", mount], check=True)
            bench.completes(snapshot, f"{what}, when there is room", known, before)
            known_of_all += len(known)
        finally:
            subprocess.run([*as_root, "umount", mount], check=True)
    if not ends[3]:
        raise AssertionError(f"no disk was full in the middle of a crawl: {ends}")
    return f"exits {', '.join(f'{n} of {code}' for code, n in ends.items() if n)}; {known_of_all} URLs were acknowledged before"


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
    command = [sys.executable, HERE / "network.py", bench.binary, bench.work / "network", *(["--long"] if long else [])]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=2400 if long else 600)
    if ran.returncode == 77:
        return "not done: no network of one's own may be made here"
    if ran.returncode != 0:
        raise AssertionError(ran.stdout + ran.stderr)
    return ran.stdout.splitlines()[-1]


CHECKS = {
    "errors": [errors],
    "reads": [reads],
    "power": [power, power_in_resume],
    "syncs": [syncs],
    "kills": [kills, moments],
    "full": [full],
    "clock": [clock],
    "network": [network],
}

if __name__ == "__main__":
    sys.exit(main())
