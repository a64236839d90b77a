#!/usr/bin/env python3
"""Crawls a real WordPress and holds the capture against its database and disk: `check.py BINARY WORKDIR`.

The site (museum.py) has posts, pages, media in several sizes, comments, feeds,
archives and five traps. Every URL that the database or the disk knows to
be public, and to which an independent walker finds a link, must be captured, and
no trap may get more than its budget. Runs in the environment of
tests/peers/requirements.txt.
"""

import gzip
import hashlib
import pathlib
import shutil
import signal
import sys
import time
import tomllib
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE.parent / "browser")]
import snapshot as made
from checks import Checks, few
from chromium import Chromium
from expected import TRAPS, Expected
from linked import key
from museum import install, wordpress
from replayed import content_host, faults, view_address
from server import UI_HOST, fetch, replay

# The least of each class that build.php makes and links; fewer would mean a broken site rather than a good crawl.
LEAST = {
    "posts": 42,
    "pages": 6,
    "pages of a post": 10,
    "pages of comments": 6,
    "attachment pages": 9,
    "media": 50,
    "front pages": 8,
    "categories": 8,
    "tags": 12,
    "post formats": 2,
    "authors": 9,
    "date archives": 20,
    "feeds": 70,
    "sitemaps": 8,
    "short links": 48,
    "posts embedded": 1,
    "rest and oembed": 150,
    "theme's files": 4,
    "WordPress's files": 8,
}
# Far more time than it takes: a crawl that doesn't leave a trap ends with 3, and so fails.
CRAWL = ["--delay", "0", "--connections", "4", "--time-limit", "6m"]
SECRET = b"THE SECRET OF THE FERRY"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n")[0])
    binary, work = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute() / "wordpress"
    # So that the servers are stopped however this is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    checks, into = Checks("wordpress"), work / "museum"
    checks.run("install", install)
    with wordpress(work / "server") as site:
        print(f"       {site.built}", flush=True)
        expected = checks.run("what is public and linked", Expected, site)
        if expected is None:
            return checks.done()
        checks.run("the site is whole", whole, expected)
        checks.run("crawl", crawl, binary, site, into)
        checks.run("everything public and linked is captured", complete, expected, into)
        checks.run("what isn't public isn't captured", hidden, expected, into)
        checks.run("no trap is over its budget", within_budgets, expected, into)
    # From here on the site is gone.
    if (into / "datapackage.json").exists():
        checks.run("verify", lambda: made.lastlight(binary, "verify", into) and None)
        with replay(binary, into, work) as port, Chromium() as browser:
            checks.run("each class replays byte for byte", replays, expected, port, into)
            checks.run("posts show their pictures, styles and fonts", shown, expected, browser, port, into)
    return checks.done()


def whole(expected):
    fewer = [
        f"{name}: {len(expected.classes[name])} of at least {least}"
        for name, least in LEAST.items()
        if len(expected.classes[name]) < least
    ]
    assert not fewer, "less than build.php made:\n  " + few(fewer, 30)
    answers = expected.walk.answers
    broken = [f"{answers[url]} {url}" for url in expected.urls() if answers[url][0] not in (200, 301, 302)]
    assert not broken, "public, but not answered:\n  " + few(broken)
    return f"{len(expected.urls())} URLs of {len(expected.classes)} classes, {len(expected.others)} others linked"


def crawl(binary, site, into):
    site.forget_requests()
    began = time.monotonic()
    made.lastlight(binary, "crawl", site.url, *CRAWL, "--into", into, "--quiet")
    seconds = time.monotonic() - began
    rows = made.ledger(into)
    captured = sum(row["state"] == "captured" for row in rows)
    return f"{captured} of {len(rows)} URLs captured by {len(site.requests())} requests in {seconds:.1f} s"


def captured_urls(into):
    return [row["url"] for row in made.ledger(into) if row["state"] in ("captured", "unchanged")]


def complete(expected, into):
    missing = expected.missing(captured_urls(into))
    states = {key(row["url"]): f"{row['state']} {row['reason']}" for row in made.ledger(into)}
    told = [
        f"{name}: {url} ({states.get(key(url), 'not in the ledger')}), linked by {expected.walk.linked[url]}"
        for name, urls in missing.items()
        for url in urls
    ]
    assert not told, f"{len(told)} of {len(expected.urls())} missing:\n  " + few(told, 30)
    width = max(map(len, expected.classes))
    lines = [f"{name:<{width}} {len(urls):>4}" for name, urls in sorted(expected.classes.items())]
    # Of the others, what answers 200 may be wanted as well: that the crawl knows of it is the least.
    unknown = [url for url in expected.others if key(url) not in states]
    assert not unknown, f"{len(unknown)} linked, but not in the ledger:\n  " + few(unknown)
    return f"{len(expected.urls())} of {len(expected.urls())}\n       " + "\n       ".join(lines)


def hidden(expected, into):
    held = {key(row["url"]) for row in made.ledger(into) if row["state"] == "captured" and row["status"] == "200"}
    told = [url for url in expected.hidden if key(url) in held]
    assert expected.hidden and not told, few(told) or "nothing hidden to look for"
    for warc in made.warcs(into):
        with gzip.open(warc) as content:
            assert SECRET not in content.read(), f"{warc.name} has the text of what isn't public"
    return f"{len(expected.hidden)} posts and pages"


def budgets(expected, into):
    """How many URLs of each trap the capture's own configuration allows."""
    traps = tomllib.loads((into / "metadata" / "config.toml").read_text())["traps"]
    captured = captured_urls(into)
    chosen = {
        frozenset(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))
        for url in captured
        if "/collection/?" in url
    }
    allowed = {
        # So many in a row until it is known for one, and so many after that; of the far future a few.
        # The pages of the first months, before and after, may be alike: a sixth of `barren` in a row.
        "endless calendar": traps["barren"] + traps["barren_pages"] + traps["far_dates"] + 66 * (traps["barren"] // 6 + 1),
        "filters in any order": len(chosen) * (1 + traps["permutations"]),
        # The four pages of the part.
        "sessions": 4 * (1 + traps["sessions"]),
        "a path below itself": traps["nested_pages"],
        "links to reply": len(expected.classes["posts"]) * traps["parameters"]["replytocom"],
    }
    assert allowed.keys() == TRAPS.keys()
    return allowed


def within_budgets(expected, into):
    allowed, counts = budgets(expected, into), expected.in_traps(captured_urls(into))
    over = [
        f"{name}: {count} captured of at most {allowed[name]}"
        for name, count in counts.items()
        if count > allowed[name]
    ]
    assert not over, few(over)
    none = [name for name, count in counts.items() if not count and allowed[name]]
    assert not none, f"nothing captured of {few(none)}"
    reasons = sorted({row["reason"] for row in made.ledger(into) if row["reason"].startswith("trap")})
    told = [f"{name}: {count} of {allowed[name]}" for name, count in counts.items()]
    return "; ".join(told) + f" ({', '.join(reasons)})"


def replays(expected, port, into):
    """One URL of each class, as captured."""
    rows = {key(row["url"]): row for row in made.ledger(into)}
    entries = {(entry["filename"], entry["offset"]): entry for entry in made.index(into)}
    wrong, compared = [], 0
    for name, urls in sorted(expected.classes.items()):
        row = next((row for url in urls if (row := rows.get(key(url))) and row["status"] == "200"), None)
        if row is None:
            continue
        entry = entries[row["filename"], row["offset"]]
        target = f"/{into.name}/{entry['timestamp']}id_/{row['url']}"
        status, _, body = fetch(port, target, host=f"{UI_HOST}:{port}")
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        compared += 1
        if status != 200 or digest != row["payload_digest"]:
            wrong.append(f"{name}: {row['url']}: status {status}, {digest}, captured {row['payload_digest']}")
    assert not wrong, few(wrong)
    assert compared > len(LEAST) // 2, f"only {compared} classes have a capture with status 200"
    return f"{compared} URLs"


def shown(expected, browser, port, into):
    """The front page and the first eight posts: each shows another kind of media."""
    entries = {}
    for entry in made.index(into):
        entries.setdefault(entry["url"], entry)
    pages = [
        expected.site.url,
        *(url for url in expected.classes["posts"] if "/2023/09/" in url or "/2023/10/" in url),
    ][:10]
    wrong, pictures = [], 0
    for url in pages:
        timestamp = next(entry["timestamp"] for held, entry in entries.items() if key(held) == key(url))
        browser.forget()
        browser.navigate(view_address(url, timestamp, into.name, port))
        host = content_host(url, timestamp, into.name)
        # Those below the view too, and all the time that they need.
        browser.evaluate("for (const image of document.images) image.loading = 'eager'", host)
        browser.settle()
        found, state = faults(browser, port, host)
        found += [f"console: {line}" for line in browser.console]
        if not browser.evaluate(
            "[...document.fonts].some(font => font.family === 'Museum' && font.status === 'loaded')", host
        ):
            found.append("the closing notice's font isn't loaded")
        if "The museum closes on" not in state["text"] or not state["sheets"]:
            found.append("no closing notice, or no styles")
        wrong += [f"{url}: {fault}" for fault in found]
        pictures += state["images"]
    assert not wrong, few(wrong, 20)
    assert pictures >= len(pages), f"{pictures} pictures on {len(pages)} pages"
    return f"{len(pages)} pages, {pictures} pictures"


if __name__ == "__main__":
    sys.exit(main())
