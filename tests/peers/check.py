#!/usr/bin/env python3
"""Lets other makers' tools judge what lastlight writes: `check.py BINARY WORKDIR`.

The demo's snapshot, its WACZ and its bag are read by warcio, FastWARC,
cdxj-indexer, pywb, py-wacz and bagit-python; a site that repeats itself makes
revisits and .warc.zst, which those that can read too. Where a peer is known to see a
thing otherwise, a named rule says so and why; anything else it says is a failure.
Runs in the environment of requirements.txt.
"""

import collections
import contextlib
import difflib
import hashlib
import json
import pathlib
import re
import shutil
import subprocess
import sys

import fastwarc.warc
from warcio.archiveiterator import ArchiveIterator

import revisits
import snapshot as made
from checks import Checks, few
from server import UI_HOST, fetch, free_port, replay, serving

# The peers' programs stand beside the Python that runs this.
PROGRAMS = pathlib.Path(sys.executable).parent

Record = collections.namedtuple("Record", "filename offset length id type uri headers http payload")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n")[0])
    binary, workdir = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
    checks = Checks("peers")
    snapshot = checks.run("the demo makes a snapshot, a WACZ and a bag", made.demo, binary, workdir)
    if snapshot is None:
        return checks.done()
    records = read_alike(checks, binary, snapshot)
    checks.run("payload digests are of the de-chunked bodies", payload_digests, records)
    checks.run("pywb and the replay give the captured bytes", same_bytes, binary, snapshot, workdir, records)
    checks.run("pywb and the replay answer from the index alike", same_lines, binary, snapshot, workdir)
    checks.run("datapackage.json holds every file's hash", manifest, snapshot)
    checks.run("wacz validate", accepted, "wacz", "validate", "-f", f"{snapshot}.wacz")
    checks.run("bagit.py --validate", accepted, "bagit.py", "--validate", f"{snapshot}-bag")
    for path in (snapshot, f"{snapshot}.wacz", f"{snapshot}-bag"):
        checks.run(f"lastlight verify {pathlib.Path(path).name}", verified, binary, path)
    repeating = checks.run("a site that repeats itself makes revisits and .warc.zst", revisits.make, binary, workdir)
    if repeating is not None:
        first, later, *zstd = repeating
        records = [record for snapshot in (first, later) for record in read_alike(checks, binary, snapshot)]
        checks.run("revisits name what they repeat", revisits_refer, records)
        checks.run("pywb and the replay resolve revisits", resolved, binary, [first, later], workdir, records)
        for snapshot in zstd:
            checks.run(f"fastwarc reads {snapshot.name}'s .warc.zst", zstd_records, snapshot)
    return checks.done()


def read_alike(checks, binary, snapshot):
    """What must hold of every snapshot's WARCs; returns their records."""
    records = [record for warc in made.warcs(snapshot) for record in read_records(warc)]
    for warc in made.warcs(snapshot):
        checks.run(f"warcio check: {warc.name}", warcio_check, warc, records)
        checks.run(f"fastwarc check: {warc.name}", fastwarc_check, warc, records)
    name = snapshot.name
    checks.run(f"warcio, fastwarc and {name}'s records.csv list the same records", same_records, snapshot, records)
    checks.run(f"cdxj-indexer writes the same index of {name}", same_index, binary, snapshot, records)
    return records


def peer(program, *arguments, expect=(0,)):
    """Runs a peer's program and returns what it printed."""
    done = subprocess.run([PROGRAMS / program, *arguments], capture_output=True, text=True, timeout=300)
    if done.returncode not in expect:
        raise AssertionError(f"{program}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done.stdout


def accepted(program, *arguments):
    peer(program, *arguments)


def verified(binary, path):
    made.lastlight(binary, "verify", path)


def read_records(warc):
    """Every record as warcio reads it; `payload` is what follows the HTTP head, framing and all."""
    found = []
    with open(warc, "rb") as stream:
        iterator = ArchiveIterator(stream)
        for record in iterator:
            headers, payload = record.rec_headers, record.raw_stream.read()
            found.append(
                Record(
                    warc.name,
                    iterator.get_record_offset(),
                    iterator.get_record_length(),
                    headers.get_header("WARC-Record-ID"),
                    record.rec_type,
                    headers.get_header("WARC-Target-URI"),
                    headers,
                    record.http_headers,
                    payload,
                )
            )
    return found


def is_chunked(record):
    return record.http is not None and record.type == "response" and record.http.get_header("Transfer-Encoding")


def entity(record):
    """The payload as WARC 1.1 §6.3.2 means it: without transfer coding, as received where that doesn't parse."""
    decoded = made.dechunk(record.payload) if is_chunked(record) else None
    return record.payload if decoded is None else decoded


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def payload_digests(records):
    wrong, chunked = [], 0
    for record in records:
        stated = record.headers.get_header("WARC-Payload-Digest")
        if record.type != "response":
            continue
        chunked += bool(is_chunked(record))
        if stated != sha256(entity(record)):
            wrong.append(
                f"{record.filename}:{record.offset} {record.uri}: states {stated}, is {sha256(entity(record))}"
            )
    assert not wrong, few(wrong)
    assert chunked, "the demo has no chunked response, so that this proves little"
    return f"{chunked} of them chunked"


def warcio_check(warc, records):
    """Nothing but the payload digests of records with Transfer-Encoding.

    warcio hashes the bytes after the HTTP head as they are; the standard means the
    entity. `payload_digests` shows for each of these that ours is the entity's.
    """
    by_offset = {record.offset: record for record in records if record.filename == warc.name}
    unexpected, passed, offset = [], 0, None
    for line in peer("warcio", "check", "-v", str(warc), expect=(0, 1)).splitlines()[1:]:
        if found := re.match(r"  offset (\d+) ", line):
            offset = int(found[1])
            continue
        record, remark = by_offset[offset], line.strip()
        if remark == "digest pass":
            passed += 1
        elif remark.startswith("digest present but not checked") and (record.type == "revisit" or not record.payload):
            pass  # warcio checks neither digest of a revisit, nor that of an empty block
        elif remark.startswith("payload digest failed") and is_chunked(record):
            pass
        else:
            unexpected.append(f"offset {offset}, {record.type} {record.uri}: {remark}")
    assert not unexpected, few(unexpected)
    return f"{passed} of {len(by_offset)} records pass"


def fastwarc_check(warc, records):
    """As warcio, and FastWARC also hashes a revisit's empty body, and finds no payload outside HTTP."""
    by_id = {record.id: record for record in records if record.filename == warc.name}
    verdicts = warc.parent.parent.parent / f"{warc.name}.fastwarc"
    peer("fastwarc", "check", "-q", "-p", "-o", str(verdicts), str(warc), expect=(0, 1))
    unexpected = []
    for line in verdicts.read_text().splitlines():
        identifier, block, payload = re.match(r"(<.*?>): (\w+), (\w+)", line).groups()
        record = by_id.pop(identifier)
        otherwise = is_chunked(record) or record.type == "revisit" or record.http is None
        if block != "OK" or (payload == "PAYLOAD_FAIL" and not otherwise):
            unexpected.append(f"offset {record.offset}, {record.type} {record.uri}: {block}, {payload}")
    assert not unexpected, few(unexpected)
    assert not by_id, f"not seen by fastwarc: {few(by_id)}"


def same_records(snapshot, records):
    def fastwarc_records(warc):
        with open(warc, "rb") as stream:
            for record in fastwarc.warc.ArchiveIterator(stream, parse_http=False):
                yield warc.name, record.stream_pos, record.record_id, record.headers["WARC-Type"]

    by_fastwarc = [found for warc in made.warcs(snapshot) for found in fastwarc_records(warc)]
    by_warcio = [(record.filename, record.offset, record.id, record.type) for record in records]
    assert by_fastwarc == by_warcio, "\n" + few(
        difflib.unified_diff([*map(str, by_fastwarc)], [*map(str, by_warcio)], "fastwarc", "warcio", n=0, lineterm="")
    )

    rows = made.records(snapshot)
    ours = sorted((row["filename"], row["offset"], row["length"], row["record_id"].strip("<>")) for row in rows)
    theirs = sorted((record.filename, record.offset, record.length, record.id.strip("<>")) for record in records)
    assert ours == theirs, "\n" + few(
        difflib.unified_diff([*map(str, ours)], [*map(str, theirs)], "records.csv", "warcio", n=0, lineterm="")
    )
    for warc in made.warcs(snapshot):
        content = warc.read_bytes()
        for row in rows:
            member = content[row["offset"] : row["offset"] + row["length"]]
            if row["filename"] == warc.name:
                digest = row["sha256"].removeprefix("sha256:")
                assert digest == hashlib.sha256(member).hexdigest(), (
                    f"records.csv: {warc.name}:{row['offset']}: sha256 differs"
                )
        covered = sum(row["length"] for row in rows if row["filename"] == warc.name)
        assert covered == len(content), f"{warc.name}: records.csv covers {covered} of {len(content)} bytes"
    kinds = collections.Counter(record.type for record in records)
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def digest_made_up(theirs, ours, record):
    """cdxj-indexer computes a sha1 where a record states no payload digest; ours states what the record states."""
    return (
        record.headers.get_header("WARC-Payload-Digest") is None
        and theirs.pop("digest", "").startswith("sha1:")
        and ours.pop("digest", None) is None
        and theirs == ours
    )


# The reasons for which a line of ours may differ from cdxj-indexer's.
INDEX_RULES = [digest_made_up]


def same_index(binary, snapshot, records):
    warcs = [str(warc) for warc in made.warcs(snapshot)]
    theirs = peer("cdxj-indexer", "--sort", *warcs).splitlines()
    ours, _ = made.lastlight(binary, "index", *warcs)
    stored = (snapshot / "indexes" / "index.cdxj").read_text(encoding="utf-8")
    assert ours == stored, "`lastlight index` and indexes/index.cdxj differ:\n  " + few(
        difflib.unified_diff(ours.splitlines(), stored.splitlines(), "index", "index.cdxj", n=0, lineterm="")
    )
    ours = ours.splitlines()
    assert ours == sorted(ours), "the index isn't sorted"

    by_place = {(record.filename, str(record.offset)): record for record in records}
    explained, unexplained = collections.Counter(), []
    places = {place(line): line for line in theirs}
    for line in ours:
        other = places.pop(place(line), None)
        if other == line:
            continue
        rule = other and next((rule for rule in INDEX_RULES if explains(rule, other, line, by_place)), None)
        if rule:
            explained[rule.__name__] += 1
        else:
            unexplained += [f"- {other}", f"+ {line}"]
    unexplained += [f"- {line}" for line in places.values()]
    assert not unexplained, "(-: cdxj-indexer, +: lastlight)\n  " + few(unexplained, 20)
    if not explained:
        assert ours == theirs, "the same lines in another order"
    return f"{len(ours)} lines" + "".join(f", {count} differ by the rule {rule}" for rule, count in explained.items())


def place(line):
    fields = json.loads(line.split(" ", 2)[2])
    return fields["filename"], fields["offset"]


def explains(rule, theirs, ours, by_place):
    their_key, our_key = theirs.rsplit(" {", 1)[0], ours.rsplit(" {", 1)[0]
    fields = [json.loads(line.split(" ", 2)[2]) for line in (theirs, ours)]
    return their_key == our_key and rule(*fields, by_place[place(ours)])


def trailers(record):
    """pywb's chunk reader takes a trailer section for data, and hands out framing with the body."""
    return (
        is_chunked(record)
        and made.dechunk(record.payload) is not None
        and not record.payload.endswith(b"\r\n0\r\n\r\n")
    )


def same_bytes(binary, snapshot, workdir, records):
    captured = {(record.filename, str(record.offset)): record for record in records}
    entries = {}
    for entry in made.index(snapshot):
        # Of two captures in one second either may be served, so that neither proves anything.
        key = entry["url"], entry["timestamp"]
        entries[key] = None if key in entries else entry
    wanted = [
        entry
        for entry in entries.values()
        if entry and entry.get("status") == "200" and entry.get("mime") != "warc/revisit"
    ]
    assert wanted, "no captures with status 200"

    wrong, excused = [], 0
    with pywb(made.warcs(snapshot), workdir) as peer_port, replay(binary, snapshot, workdir) as our_port:
        for entry in wanted:
            record = captured[entry["filename"], entry["offset"]]
            expected = entity(record)
            path = f"{entry['timestamp']}id_/{entry['url']}"
            ours = fetch(our_port, f"/{snapshot.name}/{path}", host=f"{UI_HOST}:{our_port}")
            theirs = fetch(peer_port, f"/coll/{path}")
            for name, (status, headers, body) in (("replay", ours), ("pywb", theirs)):
                if name == "pywb" and trailers(record):
                    excused += 1
                elif status != 200 or body != expected:
                    wrong.append(f"{name}: {path}: status {status}, {len(body)} bytes for {len(expected)}")
                elif headers.get("Content-Encoding") != record.http.get_header("Content-Encoding"):
                    wrong.append(f"{name}: {path}: Content-Encoding {headers.get('Content-Encoding')}")
    assert not wrong, few(wrong)
    return f"{len(wanted)} captures" + (f", {excused} of them excused in pywb by the rule trailers" if excused else "")


def same_lines(binary, snapshot, workdir):
    """The CDX server's parameters, each as pywb understands it."""
    home = next(page for page in made.pages(snapshot) if page.get("seed"))["url"]
    time = next(entry for entry in made.index(snapshot) if entry["url"] == home)["timestamp"]
    below = f"url={home}updates/*"
    queries = [
        f"url={home}", f"url={home}updates", f"url={home}*", f"url={home}updates*", below, f"{below}&limit=3",
        f"{below}&sort=reverse&limit=3", f"{below}&closest={time}&limit=1", f"url={home}updates/&matchType=prefix",
        "url=localhost&matchType=domain", "url=*.localhost", f"url={home}*&from={time[:8]}&to={time[:4]}",
        f"url={home}*&to={int(time[:4]) - 1}", f"url={home}&from={time}&to={time}",
        *(f"url={home}*&filter={filter_}" for filter_ in (
            "mime:ext/h", "!mime:ext/h", "=status:200", "!=status:200", "~mime:.*css", "!~mime:text", "text/css",
            "!bogus:x", "status:200&filter=mime:pdf")),
    ]  # fmt: skip
    wrong, lines = [], 0
    with pywb(made.warcs(snapshot), workdir) as peer_port, replay(binary, snapshot, workdir) as our_port:
        for query in queries:
            fields = "&output=text&fl=urlkey,timestamp,url,status,mime,length,offset"
            _, _, ours = fetch(our_port, f"/{snapshot.name}/cdx?{query}{fields}", host=f"127.0.0.1:{our_port}")
            _, _, theirs = fetch(peer_port, f"/coll/cdx?{query}{fields}")
            lines += ours.count(b"\n")
            if ours != theirs:
                wrong.append(f"{query}: {ours.count(10)} lines for {theirs.count(10)}: {ours[:200]} for {theirs[:200]}")
    assert not wrong, few(wrong)
    return f"{len(queries)} queries, {lines} lines"


def originals(records):
    """Responses by what a revisit says of them: URL and date."""
    return {
        (record.uri, record.headers.get_header("WARC-Date")): record for record in records if record.type == "response"
    }


def original(record, of):
    """The response that a revisit refers to (WARC 1.1 §6.7.2)."""
    named = (record.headers.get_header(f"WARC-Refers-To-{field}") for field in ("Target-URI", "Date"))
    return of.get(tuple(named))


def revisits_refer(records):
    """To a response that is there, with the payload that the revisit's digest is of; with an HTTP head of its own."""
    of, found, wrong = originals(records), [], []
    for record in records:
        if record.type != "revisit":
            continue
        named, digest = original(record, of), record.headers.get_header("WARC-Payload-Digest")
        found.append(record)
        place = f"{record.filename}:{record.offset} {record.uri}"
        if named is None:
            wrong.append(f"{place}: refers to a response that isn't there")
        elif record.headers.get_header("WARC-Refers-To") != named.id:
            wrong.append(f"{place}: another WARC-Refers-To than {named.id}")
        elif digest != sha256(entity(named)):
            wrong.append(f"{place}: states {digest}, its original's is {sha256(entity(named))}")
        elif record.payload or record.http.get_header("X-Path") not in record.uri:
            wrong.append(f"{place}: {len(record.payload)} bytes of payload, or another one's head")
    assert not wrong, few(wrong)
    kinds = collections.Counter(
        "to another URL" if record.uri != original(record, of).uri else "to an earlier capture" for record in found
    )
    assert len(kinds) == 2, f"not every kind of revisit is there: {kinds}"
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))


def resolved(binary, snapshots, workdir, records):
    of = originals(records)
    captured = {(record.filename, str(record.offset)): record for record in records}
    wanted = [
        (snapshot, entry, captured[entry["filename"], entry["offset"]])
        for snapshot in snapshots
        for entry in made.index(snapshot)
        if entry.get("mime") == "warc/revisit"
    ]
    wrong, excused = [], 0
    warcs = [warc for snapshot in snapshots for warc in made.warcs(snapshot)]
    with pywb(warcs, workdir) as peer_port, replay(binary, snapshots, workdir) as our_port:
        for snapshot, entry, record in wanted:
            named = original(record, of)
            path = f"{entry['timestamp']}id_/{entry['url']}"
            ours = fetch(our_port, f"/{snapshot.name}/{path}", host=f"{UI_HOST}:{our_port}")
            theirs = fetch(peer_port, f"/coll/{path}")
            for name, (status, headers, body) in (("replay", ours), ("pywb", theirs)):
                shown = headers.get("X-Path") or headers.get("X-Archive-Orig-X-Path")
                if name == "pywb" and trailers(named):
                    excused += 1
                elif status != 200 or body != entity(named):
                    wrong.append(f"{name}: {path}: status {status}, {len(body)} bytes for {len(entity(named))}")
                elif shown != record.http.get_header("X-Path"):
                    wrong.append(f"{name}: {path}: the head of {shown}")
    assert wanted and not wrong, few(wrong)
    return f"{len(wanted)} revisits" + (f", {excused} of them excused in pywb by the rule trailers" if excused else "")


def zstd_records(snapshot):
    """Every record with its digest and at its place; the dictionary of the first frame, where there is one, is used."""
    read, wrong = [], []
    for warc in made.warcs(snapshot):
        start = revisits.DICTIONARY_FRAME if snapshot.name == "trained" else revisits.FRAME
        assert warc.read_bytes().startswith(start), f"{warc.name} doesn't begin as it should"
        with open(warc, "rb") as stream:
            for record in fastwarc.warc.ArchiveIterator(stream, parse_http=False):
                read.append((warc.name, record.stream_pos, record.record_id.strip("<>")))
                if "WARC-Block-Digest" in record.headers and not record.verify_block_digest():
                    wrong.append(f"{warc.name}:{record.stream_pos}: its block digest fails")
    assert not wrong, few(wrong)
    rows = [(row["filename"], row["offset"], row["record_id"].strip("<>")) for row in made.records(snapshot)]
    assert read == sorted(rows), "\n" + few(
        difflib.unified_diff([*map(str, sorted(rows))], [*map(str, read)], "records.csv", "fastwarc", n=0, lineterm="")
    )
    return f"{len(read)} records"


@contextlib.contextmanager
def pywb(warcs, workdir):
    root = workdir / "pywb"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for arguments in (["init", "coll"], ["add", "coll", *map(str, warcs)]):
        done = subprocess.run([PROGRAMS / "wb-manager", *arguments], cwd=root, capture_output=True, text=True)
        assert done.returncode == 0, f"wb-manager {arguments[0]}: {done.stderr[-2000:]}"
    port = free_port()
    command = [str(PROGRAMS / "wayback"), "-b", "127.0.0.1", "-p", str(port), "-d", str(root)]
    with serving(command, port, root / "wayback.log"):
        yield port


def manifest(snapshot):
    """Every file is in the manifest with its true hash and size, the manifest in its digest file."""
    stated = json.loads((snapshot / "datapackage.json").read_text())
    listed = {resource["path"]: resource for resource in stated["resources"]}
    assert len(listed) == len(stated["resources"]), "a path is listed twice"
    present = {
        str(path.relative_to(snapshot))
        for path in snapshot.rglob("*")
        if path.is_file() and path.relative_to(snapshot).parts[0] != "state"
    } - {"datapackage.json", "datapackage-digest.json"}
    assert present == set(listed), f"only in the manifest or only on disk: {few(sorted(present ^ set(listed)))}"
    for path, resource in listed.items():
        content = (snapshot / path).read_bytes()
        assert resource["hash"] == sha256(content), f"{path}: hash differs"
        assert resource["bytes"] == len(content), f"{path}: size differs"
    digest = json.loads((snapshot / "datapackage-digest.json").read_text())
    assert digest["hash"] == sha256((snapshot / "datapackage.json").read_bytes()), (
        "datapackage-digest.json: hash differs"
    )
    return f"{len(listed)} files"


if __name__ == "__main__":
    sys.exit(main())
