"""Makes snapshots by the built binary, and reads a snapshot's files independently of it."""

import csv
import json
import pathlib
import subprocess


def lastlight(binary, *arguments, expect=0, timeout=600):
    """Runs the binary; its exit code must be `expect`. Returns (stdout, stderr)."""
    done = subprocess.run(
        [str(binary), *map(str, arguments)], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL
    )
    if done.returncode != expect:
        raise AssertionError(
            f"lastlight {' '.join(map(str, arguments))}: exit {done.returncode}, expected {expect}\n"
            f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
    return done.stdout, done.stderr


def demo(binary, workdir):
    """The demo's snapshot in `workdir`, made unless it is there, with its .wacz and -bag beside it."""
    into = pathlib.Path(workdir) / "demo"
    if not into.exists():
        into.parent.mkdir(parents=True, exist_ok=True)
        lastlight(binary, "demo", "--once", "--into", into)
    return into


def warcs(snapshot):
    return sorted(path for path in (snapshot / "archive").iterdir() if path.name.endswith((".warc.gz", ".warc.zst")))


def index(snapshot):
    """The CDXJ's entries: the fields of each line, with its `timestamp`."""
    entries = []
    with open(snapshot / "indexes" / "index.cdxj", encoding="utf-8") as lines:
        for line in lines:
            _, timestamp, fields = line.split(" ", 2)
            entries.append({**json.loads(fields), "timestamp": timestamp})
    return entries


def pages(snapshot):
    """The pages of both lists: {url, ts, title, ...}, without the lists' own first lines."""
    found = []
    for name in ("pages.jsonl", "extraPages.jsonl"):
        path = snapshot / "pages" / name
        if path.exists():
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
            found += [row for row in rows if "url" in row]
    return found


def ledger(snapshot):
    with open(snapshot / "reports" / "ledger.csv", newline="", encoding="utf-8") as rows:
        return list(csv.DictReader(rows))


def records(snapshot):
    """The rows of records.csv, with numbers as numbers."""
    with open(snapshot / "metadata" / "records.csv", newline="", encoding="utf-8") as rows:
        return [{**row, "offset": int(row["offset"]), "length": int(row["length"])} for row in csv.DictReader(rows)]


def dechunk(body):
    """The entity within a chunked message body, or None where the framing doesn't parse (RFC 9112 §7.1)."""
    entity, rest = [], body
    while True:
        line, found, rest = rest.partition(b"\r\n")
        size = line.split(b";")[0].strip(b" \t")
        if not found or not size or size.strip(b"0123456789abcdefABCDEF"):
            return None
        size = int(size, 16)
        if size == 0:
            # The trailer section ends with an empty line, like a head.
            return b"".join(entity) if rest.startswith(b"\r\n") or b"\r\n\r\n" in rest else None
        if rest[size : size + 2] != b"\r\n":
            return None
        entity.append(rest[:size])
        rest = rest[size + 2 :]
