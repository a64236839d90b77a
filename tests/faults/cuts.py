"""The power goes while a crawl or its resume writes, also after a sync that lost what it covered.

What is written is recorded by shim.c, and disk.py makes what a disk may then hold.
"""

import shutil
import signal

import disk
from bench import acknowledged, acknowledged_in, check_end, has_begun, never_began

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
        the number of states. What came to its end before the cut must be whole as it is."""
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
                machine.write(snapshot, *keeping(choice, self.chance))
                last = f" ({ops[point - 1].name} {ops[point - 1].path})" if point else ""
                state = f"{what}, cut after operation {point} of {len(ops)}{last}, state {choice}"
                if point == len(ops):
                    if not (snapshot / "datapackage.json").exists():
                        raise AssertionError(f"{state}: it had ended, and isn't sealed")
                    self.bench.is_whole(snapshot, state)
                self.bench.completes(snapshot, state, acknowledged_in(log), self.bench.requests.copy())
                states += 1
        return states


def power(bench, chance, long):
    """The power goes at any operation of a crawl, and resume completes what the disk held."""
    recording = Recording(bench, chance)
    recording.crawl()
    ops = recording.operations()
    points = range(len(ops) + 1) if long else [*sorted(chance.sample(range(len(ops)), 40)), len(ops)]
    states = recording.cut("crawl", ops, points, CHOICES if long else None)
    return f"{states} states of {len(ops)} operations"


def power_in_resume(bench, chance, long):
    """The power goes at any operation of a resume, after the crawl was killed."""
    total, _, _ = bench.counted(lambda count: bench.crawl(bench.work / "counted", count=count))
    states = operations = 0
    kills = range(total // 20, total, total // 12) if long else [chance.randrange(total // 5, total)]
    for at in kills:
        recording = Recording(bench, chance)
        recording.crawl(at=at, kind="kill")
        start = len(recording.operations())
        what = f"crawl killed before operation {at}, resume"
        if not has_begun(recording.snapshot) or never_began(ran := recording.resume()):
            continue
        if ran.returncode != 0:
            raise AssertionError(f"{what}: exit {ran.returncode}: {ran.stderr.strip()}")
        ops = recording.operations()
        operations += len(ops) - start
        points = range(start, len(ops) + 1) if long else [*sorted(chance.sample(range(start, len(ops)), 15)), len(ops)]
        states += recording.cut(what, ops, points, None)
    return f"{states} states of {operations} operations"


def syncs(bench, chance, long):
    """A sync fails and loses what it covered: resume completes it, also when the power goes meanwhile or after."""
    _, _, in_crawl = bench.counted(lambda count: bench.crawl(bench.work / "counted", count=count))
    cases = range(1, in_crawl + 1) if long else sorted(chance.sample(range(1, in_crawl + 1), 8))
    states, ends = 0, dict.fromkeys((0, 1, 3, 4), 0)
    for at in cases:
        what, recording = f"sync {at} of about {in_crawl} lost what it covered", Recording(bench, chance)
        ran = recording.crawl(sync=at)
        check_end(ran, what)
        ends[ran.returncode] += 1
        start = len(recording.operations())
        if ran.returncode == 0:
            # Only what need not last may fail without a word.
            bench.is_whole(recording.snapshot, f"{what}, exit 0")
            start = len(recording.operations())
        else:
            # At times a sync of the resume is lost as well.
            attempts = [{"sync": chance.randrange(1, in_crawl)}, {}] if chance.random() < 0.4 else [{}]
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
        points = [*sorted(chance.sample(range(start, len(ops)), few)), len(ops)]
        # Nothing of what it covered is on the disk, or some.
        for keep in (lambda op: None, some(chance)) if long else (lambda op: None,):
            states += recording.cut(what, ops, points, None, keep)
    return f"{len(cases)} syncs, {states} states; exits {', '.join(f'{n} of {code}' for code, n in ends.items() if n)}"


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
