"""The power goes while a crawl or its resume writes, also after a sync that lost what it covered.

What is written is recorded by shim.c, and disk.py makes what a disk may then hold.
"""

import os
import shutil
import signal

import disk
from bench import acknowledged, acknowledged_in, check_end, has_begun, never_began, some_of

# What of the unsynced is there: see `keeping`.
CHOICES = range(6)


class Recording:
    """A snapshot and all that was written to it, by one process or several after each other."""

    def __init__(self, bench, chance):
        self.bench, self.chance = bench, chance
        self.snapshot, self.trace = bench.work / "traced", bench.work / "trace"
        shutil.rmtree(self.snapshot, ignore_errors=True)
        self.trace.unlink(missing_ok=True)

    def crawl(self, **faults):
        return self.bench.crawl(self.snapshot, trace=self.trace, **faults)

    def resume(self, **faults):
        return self.bench.resume(self.snapshot, trace=self.trace, **faults)

    def operations(self):
        return disk.read(self.trace, self.snapshot)

    def cut(self, what, ops, points, choices, keep=lambda op: None):
        """Cuts `ops` at each of the points, in order, and completes so many choices of what the disk held; gives
        the number of states in which the crawl had begun. What came to its end before the cut must be whole as
        it is."""
        machine, log, done, states = disk.Disk(keep), bytearray(), 0, 0
        for point in points:
            for op in ops[done:point]:
                machine.do(op)
                if op.path == "logs/crawl.jsonl" and op.name in ("append", "write"):
                    disk.apply(log, op)
            done = point
            for choice in choices or [self.chance.choice(CHOICES)]:
                # Under the name that it had: WARCs are named by it.
                snapshot = self.bench.work / "cut" / self.snapshot.name
                shutil.rmtree(snapshot.parent, ignore_errors=True)
                snapshot.parent.mkdir()
                machine.write(snapshot, *keeping(choice, self.chance), self.chance.random() < 0.5)
                last = f" ({ops[point - 1].name} {ops[point - 1].path})" if point else ""
                state = f"{what}, cut after operation {point} of {len(ops)}{last}, state {choice}"
                if point == len(ops):
                    if not (snapshot / "datapackage.json").exists():
                        raise AssertionError(f"{state}: it had ended, and isn't sealed")
                    self.bench.is_whole(snapshot, state)
                states += self.bench.completes(snapshot, state, acknowledged_in(log), self.bench.requests.copy())
        return states


def power(bench, chance, long):
    """The power goes at any operation of a crawl, and resume completes what the disk held."""
    recording = Recording(bench, chance)
    recording.crawl()
    ops = recording.operations()
    points = [*some_of(range(len(ops)), chance, long, 40), len(ops)]
    states = recording.cut("crawl", ops, points, CHOICES if long else None)
    return f"{states} states of {len(ops)} operations"


def power_in_resume(bench, chance, long):
    """The power goes at any operation of a resume, after the crawl, and at times a resume, was killed."""
    total, _, _ = bench.counted(lambda count: bench.crawl(bench.work / "counted", count=count))
    to_warcs, _, _ = bench.counted(lambda count: bench.crawl(bench.work / "counted", count=count, file=".warc"))
    # Before an operation, and in the middle of a write to a WARC, whose torn end is cut off.
    kills = [{"at": at, "kind": "kill"} for at in range(total // 8, total, total // 8)]
    torn = [{"at": at, "kind": "torn", "file": ".warc"} for at in range(2, to_warcs, max(1, to_warcs // 16))]
    cases = kills + torn if long else [chance.choice(kills[1:]), *chance.sample(torn, len(torn))]
    states = operations = cuts = tried = 0
    for case in cases:
        if cuts and not long:
            break  # other operations on a WARC tear nothing
        recording = Recording(bench, chance)
        what = f"crawl with {case}, resume"
        if recording.crawl(**case).returncode != -signal.SIGKILL:
            continue  # it had fewer operations this time
        again = chance.randrange(1, 30) if "file" in case or chance.random() < 0.5 else 0
        if again and has_begun(recording.snapshot):
            what += f", killed before operation {again} and resumed"
            recording.resume(at=again, kind="kill")
        start = len(recording.operations())
        if not has_begun(recording.snapshot) or never_began(ran := recording.resume()):
            continue
        if ran.returncode != 0:
            raise AssertionError(f"{what}: exit {ran.returncode}: {ran.stderr.strip()}")
        ops = recording.operations()
        operations += len(ops) - start
        tried += 1
        cuts += any(op.name == "truncate" and ".warc" in op.path for op in ops)
        points = [*some_of(range(start, len(ops)), chance, long * 2, 10), len(ops)]
        states += recording.cut(what, ops, points, None)
    if not states or not cuts:
        raise AssertionError(f"{states} states, {cuts} torn ends that were cut: nothing was tried")
    return f"{states} states of {operations} operations; {cuts} of {tried} crawls had a torn end cut off"


def syncs(bench, chance, long):
    """A sync fails and loses what it covered: resume completes it, also when the power goes meanwhile or after."""
    _, _, in_crawl = bench.counted(lambda count: bench.crawl(bench.work / "counted", count=count))
    cases = some_of(range(1, in_crawl + 1), chance, long, 8)
    states, lost, ends = 0, 0, dict.fromkeys((0, 1, 3, 4), 0)
    for at in cases:
        what, recording = f"sync {at} of about {in_crawl} lost what it covered", Recording(bench, chance)
        ran = recording.crawl(sync=at)
        check_end(ran, what)
        failed = [number for number, op in enumerate(recording.operations()) if op.name == "lost"]
        if not failed:
            continue  # it had fewer syncs this time
        ends[ran.returncode] += 1
        lost += 1
        if ran.returncode == 0:
            # SQLite goes on where its log's directory isn't synced: the crawl syncs that itself. And it
            # begins a store anew that has nothing in it, before there is a log.
            ops = recording.operations()
            path, before = ops[failed[0]].path, ops[: failed[0]]
            has_log = any(op.path == "state/crawl.sqlite-wal" for op in before)
            if path != "state" and (has_log or not path.startswith("state/")):
                raise AssertionError(f"{what}: nothing is said of {path}")
            bench.is_whole(recording.snapshot, f"{what}, exit 0")
            start = failed[0] + 1
        else:
            if has_begun(recording.snapshot) and ran.returncode == 4 and acknowledged(recording.snapshot):
                raise AssertionError(f"{what}: exit 4 where the crawl can go on: {ran.stderr.strip()}")
            # What the system has of it may be gone at once.
            start = len(recording.operations())
            # At times a sync of the resume is lost as well.
            attempts = [{"sync": chance.randrange(1, in_crawl // 2)}, {}] if chance.random() < 0.4 else [{}]
            for faults in attempts:
                known, before = acknowledged(recording.snapshot), bench.requests.copy()
                if ran.returncode == 0 or not has_begun(recording.snapshot):
                    break
                ran = recording.resume(**faults)
                bench.fetched_none_again(what, known, before)
                if never_began(ran) and not known:
                    break
                check_end(ran, f"{what}, then in resume {faults}")
            if not has_begun(recording.snapshot) or never_began(ran):
                continue
            if ran.returncode != 0:
                raise AssertionError(f"{what}: resume ends with {ran.returncode}: {ran.stderr.strip()}")
        ops = recording.operations()
        few = min(len(ops) - start, 12 if long else 2)
        points = [start, *sorted(chance.sample(range(start, len(ops)), few)), len(ops)]
        # Nothing of what it covered is on the disk, or some.
        for keep in (lambda op: None, some(chance)) if long else (lambda op: None,):
            states += recording.cut(what, ops, points, None, keep)
    if not states:
        raise AssertionError("no sync was lost")
    return f"{lost} syncs, {states} states; exits {', '.join(f'{n} of {code}' for code, n in ends.items() if n)}"


def some(chance):
    return lambda op: op if chance.random() < 0.5 else None


def keeping(choice, chance):
    """What of the unsynced is there: nothing, all, or some, whole or torn."""
    if choice == 0:
        return (lambda op: None), (lambda pairs: False)
    if choice == 1:
        return (lambda op: op), (lambda pairs: True)
    if choice == 2:  # names are there, and no bytes
        return (lambda op: None), (lambda pairs: True)
    share = chance.choice((0.2, 0.5, 0.9))
    ended = set()

    def keep(op):
        if chance.random() > share:
            return None
        return disk.torn(op, chance) if chance.random() < 0.3 else op

    def keep_name(pairs):
        # Of a directory its latest names are lost, and none between them.
        directories = {os.path.dirname(path) for path, _ in pairs}
        if directories & ended or chance.random() > share:
            ended.update(directories)
            return False
        return True

    return keep, keep_name
