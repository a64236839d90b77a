#!/usr/bin/env python3
"""Holds a site's replay against the site: `pages.py BINARY WORKDIR [chromium] [firefox]`.

The pages in `site/` note what their scripts see. They are opened live, captured by the binary, and opened
again in the replay, when the live site is gone: the notes must be the same. Both browsers where both are
installed. Runs in the environment of tests/peers/requirements.txt.
"""

import contextlib
import datetime
import json
import pathlib
import shutil
import sys
import time

from chromium import BrowserError, Chromium
from firefox import Firefox
from live import live
from replayed import content_host, leaks, view_address

# In tests/peers, which `replayed` has made known.
import snapshot as made
from checks import Checks, few
from server import replay

PAGES = ["origins", "loads", "streams", "workers", "time", "inert"]
BROWSERS = {"chromium": Chromium, "firefox": Firefox}
# What the pages note of what doesn't come.
LATE = "nothing in 20 s"
# What replay can't or won't do as it was, by page and name: what is seen instead. docs/replay.md says why.
OTHERWISE = {
    # What wasn't captured isn't offered.
    # A module's own text names another origin, and no script is changed.
    "loads": {"import of an absolute URL": "undefined", "dynamic import of an absolute URL": "thrown: TypeError"},
    "streams": {"HLS offers": [1, 1], "DASH offers": ["here"]},
}


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.split("\n")[0])
    binary, work = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute() / "pages"
    names = sys.argv[3:] or [name for name, program in BROWSERS.items() if program.is_installed()]
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    checks = Checks("pages")
    seen = {}
    with live() as site:
        snapshot = checks.run("the site is captured", capture, binary, work, site)
        if snapshot is None:
            return checks.done()
        for name in names:
            with BROWSERS[name](quiet=0.3) as browser:
                seen[name] = {page: notes(browser, f"{site.site}/{page}.html") for page in PAGES}
    captured = made.index(snapshot)[0]["timestamp"]
    with replay(binary, snapshot, work) as port:
        for name in names:
            with BROWSERS[name](quiet=0.3) as browser:
                visit = Visit(browser, port, snapshot.name, captured, site)
                for page in PAGES:
                    checks.run(f"{name}: {page} is as it was", visit.same, page, seen[name][page])
                checks.run(f"{name}: time and chance are the capture's", visit.time_and_chance)
    return checks.done()


def capture(binary, work, site):
    seeds = work / "seeds.txt"
    seeds.write_text("".join(f"{url}\n" for url in site.urls()))
    into = work / "site"
    made.lastlight(binary, "crawl", "--seeds", seeds, "--into", into, "--scope", "page", "--delay", "0", "--connections", "4", "--robots", "ignore")
    return into


def notes(browser, address, host=None):
    """What the scripts of a page saw. It need not go quiet: some requests' ends are told of to nobody."""
    deadline = time.monotonic() + 60
    browser.begin("about:blank")
    while browser.evaluate("location.href") != "about:blank":
        assert time.monotonic() < deadline, "the page before doesn't go"
        browser.take(0.05)
    browser.begin(address)
    while True:
        with contextlib.suppress(BrowserError):
            if browser.evaluate("typeof all === 'function' && document.readyState === 'complete'", host):
                return browser.evaluate("all()", host)
        assert time.monotonic() < deadline, f"{address} doesn't run"
        browser.take(0.1)


class Visit:
    def __init__(self, browser, port, collection, time, site):
        self.browser, self.port, self.collection, self.time, self.site = browser, port, collection, time, site

    def open(self, page):
        url = f"{self.site.site}/{page}.html"
        self.browser.forget()
        host = content_host(url, self.time, self.collection)
        return notes(self.browser, view_address(url, self.time, self.collection, self.port), host), host

    def same(self, page, before):
        now, _ = self.open(page)
        late = [name for name, value in now.items() if value == LATE != before.get(name)]
        if late:
            # Once in dozens of runs, Firefox answers nothing to one of many workers.
            now, _ = self.open(page)
        expected = {**before, **OTHERWISE.get(page, {})}
        wrong = [
            f"{name}: {json.dumps(now.get(name))}, was {json.dumps(value)}" for name, value in expected.items() if now.get(name) != value
        ]
        # What the page's policy stopped never left; the browser tells of it as of a request that failed.
        self.browser.requests = [request for request in self.browser.requests if not request["error"]]
        wrong += leaks(self.browser, self.port)
        assert not wrong, few(wrong, 40)
        again = f", the second time: {few(late)} came late" if late else ""
        return f"{len(expected)} things{again}"

    def time_and_chance(self):
        captured = datetime.datetime.strptime(self.time, "%Y%m%d%H%M%S").replace(tzinfo=datetime.UTC)
        _, host = self.open("time")
        moment, chance = (self.browser.evaluate(name, host) for name in ("moment", "chance"))
        for name, value in moment.items():
            if name == "format":
                assert value == f"{captured.month}/{captured.day}/{captured.year}", (name, value)
            elif name == "parts":
                assert value == str(captured.year), (name, value)
            else:
                off = value / 1000 - captured.timestamp()
                assert -5 < off < 60, f"{name} is {off} s off"
        self.open("time")
        again = self.browser.evaluate("chance", host)
        assert again == chance, f"{again} after {chance}"
        assert len(set(chance["numbers"])) == 3 and len(set(chance["bytes"])) > 4, chance


if __name__ == "__main__":
    sys.exit(main())
