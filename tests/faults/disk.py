"""What a disk may hold after a power cut, worked out from a trace of shim.c.

A write or a truncation is on the disk for certain once its file was synced, and a
name (of a file made, renamed or removed) once its directory was. All else may be
there or not, each by itself: that is more than file systems do, and a program that
stands it stands them all.

A sync that failed loses what it covered as Linux does: the bytes are read as written
until the power goes, no later sync takes them to the disk, and only what is written
again does, with the whole page that it is in.
"""

import collections
import os
import pathlib

Op = collections.namedtuple("Op", "name path to a data")
SECTOR, PAGE = 512, 4096


def read(trace, root):
    """The operations of a trace, with paths relative to `root`."""
    ops, root = [], os.fsencode(str(root))
    bytes_ = pathlib.Path(trace).read_bytes()
    at = 0

    def relative(path):
        return path[len(root) :].lstrip(b"/").decode()

    while at < len(bytes_):
        end = bytes_.index(b"\n", at)
        name, path_length, a, _, length = bytes_[at:end].split()
        at = end + 1
        path, _, to = bytes_[at : at + int(path_length)].partition(b"\0")
        at += int(path_length)
        data = bytes_[at : at + int(length)]
        at += int(length)
        if path.endswith(b" (deleted)") or b"/#" in path:
            continue  # an unnamed file: nobody finds it after a cut
        ops.append(Op(name.decode(), relative(path), relative(to) if to else None, int(a), data))
    return ops


class File:
    """A file's bytes: what is certain, what was done since, and what is read meanwhile."""

    def __init__(self):
        self.certain, self.pending, self.read = bytearray(), [], bytearray()
        self.has_lost = False

    def do(self, op):
        apply(self.read, op)
        if self.has_lost and op.name != "truncate":
            start, end = op.a // PAGE * PAGE, -(-(op.a + len(op.data)) // PAGE) * PAGE
            op = op._replace(a=start, data=bytes(self.read[start:end]))
        self.pending.append(op)

    def sync(self):
        for op in self.pending:
            apply(self.certain, op)
        self.pending = []
        if self.has_lost:
            # A length is kept by the file system's journal, which lost nothing.
            apply(self.certain, Op("truncate", None, None, len(self.read), b""))

    def lose(self, keep):
        """A sync fails: of what it covered is on the disk what `keep` says, and no more will be."""
        for op in self.pending:
            if kept := keep(op):
                apply(self.certain, kept)
        self.pending, self.has_lost = [], True

    def possible(self, keep, grown):
        """One of the states that it may have; `keep` decides on each pending operation, and `grown`
        whether the journal has the length of what was lost."""
        found = bytearray(self.certain)
        for op in self.pending:
            if kept := keep(op):
                apply(found, kept)
        if grown and self.has_lost:
            found.extend(bytes(max(0, len(self.read) - len(found))))
        return bytes(found)


def apply(bytes_, op):
    if op.name == "truncate":
        del bytes_[op.a :]
        bytes_.extend(bytes(op.a - len(bytes_)))
        return
    bytes_.extend(bytes(max(0, op.a - len(bytes_))))
    bytes_[op.a : op.a + len(op.data)] = op.data


class Disk:
    """Files by number, and directories as tables of names: certain ones and those not synced yet."""

    def __init__(self, keep=lambda op: None):
        """`keep` decides what of a failed sync's bytes is on the disk."""
        self.keep, self.files = keep, {}
        self.now, self.certain = {}, {}
        self.changes = []

    def do(self, op):
        match op.name:
            case "create" if op.path not in self.now:
                self.files[number := len(self.files)] = File()
                self.change(op.path, number)
            case "create" | "truncate" | "append" | "write":
                if op.path not in self.now:
                    raise RuntimeError(f"{op.name} of a file that was never made: {op.path}")
                if op.name != "create":
                    self.files[self.now[op.path]].do(op)
            case "mkdir" if op.path:
                self.change(op.path, "directory")
            case "unlink":
                self.change(op.path, None)
            case "rename":
                moved = self.now[op.path]
                # One operation: both names change or neither does.
                self.change(op.path, None, op.to, moved)
            case "sync":
                if self.now.get(op.path) == "directory" or op.path == "":
                    self.sync_directory(op.path)
                elif op.path in self.now:
                    self.files[self.now[op.path]].sync()
            case "lost" if isinstance(number := self.now.get(op.path), int):
                # Of a directory nothing is lost: its names wait for the next sync.
                self.files[number].lose(self.keep)

    def change(self, *names):
        pairs = list(zip(names[::2], names[1::2]))
        self.changes.append(pairs)
        for path, what in pairs:
            set_name(self.now, path, what)

    def sync_directory(self, directory):
        left = []
        for pairs in self.changes:
            if any(os.path.dirname(path) == directory for path, _ in pairs):
                for path, what in pairs:
                    set_name(self.certain, path, what)
            else:
                left.append(pairs)
        self.changes = left

    def write(self, into, keep, keep_name, grown):
        """Makes one of the states that the disk may be in. Names are kept in order
        for each directory, as every journal keeps them."""
        names = dict(self.certain)
        for pairs in self.changes:
            if keep_name(pairs):
                for path, what in pairs:
                    set_name(names, path, what)
        into.mkdir()
        for path, what in sorted(names.items()):
            if not has_parents(names, path):
                continue
            if what == "directory":
                (into / path).mkdir()
            else:
                (into / path).write_bytes(self.files[what].possible(keep, grown))


def has_parents(names, path):
    parent = os.path.dirname(path)
    return parent == "" or (names.get(parent) == "directory" and has_parents(names, parent))


def set_name(names, path, what):
    if what is None:
        names.pop(path, None)
    else:
        names[path] = what


def torn(op, chance):
    """A write of which only some sectors came to the disk."""
    if op.name == "truncate" or len(op.data) <= SECTOR:
        return op
    cut = chance.randrange(1, len(op.data) // SECTOR + 1) * SECTOR
    return op._replace(data=op.data[:cut])
