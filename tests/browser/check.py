#!/usr/bin/env python3
"""Opens the demo's replay in headless Chromium: `check.py BINARY WORKDIR`.

Every page is opened as a reader does, below the banner. It must show its text,
pictures, styles and fonts, and nothing may be asked of any host but the replay's
own. Pictures of some pages are left in WORKDIR. Runs in the environment of
tests/peers/requirements.txt.
"""

import json
import pathlib
import sys

from chromium import Chromium
from replayed import content_host, faults, leaks, timestamp14, view_address

# In tests/peers, which `replayed` has made known.
import snapshot as made
from checks import Checks, few
from server import UI_HOST, replay


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n")[0])
    binary, workdir = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
    checks = Checks("browser")
    snapshot = checks.run("the demo makes a snapshot", made.demo, binary, workdir)
    if snapshot is None:
        return checks.done()
    with replay(binary, snapshot, workdir) as port, Chromium(height=800, quiet=0.25) as browser:
        visit = Visit(browser, port, snapshot, workdir)
        checks.run("the interface leads to a page below the banner", visit.from_the_first_page)
        checks.run("a link within the page takes the banner along", visit.link_within)
        checks.run("a list that a script fills is filled", visit.hearings)
        checks.run("a PDF opens outside of the sandbox", visit.pdf)
        checks.run("a link to nothing is counted as missing", visit.broken_link)
        checks.run("an archived address leads to the shell", visit.content_address)
        checks.run("the way from the first page to a capture needs no mouse", visit.by_keyboard)
        checks.run("every page replays with text, pictures, styles", visit.every_page)
        checks.run("every page replays at one host name too, without origin", visit.every_page_in_path_mode)
        checks.run("a PDF opens at one host name", visit.pdf_in_path_mode)
        checks.run("a link at one host name takes the banner along", visit.link_in_path_mode)
        reached = browser.close()
    checks.run("the browser reached nothing but loopback", loopback_only, reached, port)
    return checks.done()


class Visit:
    """One reader's way through the demo; each step is a check."""

    def __init__(self, browser, port, snapshot, workdir):
        self.browser, self.port, self.snapshot, self.workdir = browser, port, snapshot, workdir
        self.pages = made.pages(snapshot)
        self.home = next(page for page in self.pages if page.get("seed"))
        self.site = self.home["url"]
        self.time = timestamp14(self.home["ts"])
        self.host = content_host(self.site, self.time, snapshot.name)

    def open(self, url, time=None):
        self.browser.forget()
        self.browser.navigate(view_address(url, time or self.time, self.snapshot.name, self.port))

    def in_page(self, expression):
        """The value of an expression within the archived page."""
        return self.browser.evaluate(expression, self.host)

    def follow_within(self, path):
        """Clicks the archived page's link to a path of its site, and waits until the banner tells its URL."""
        link = f"[...document.links].find(link => link.host === location.host && link.pathname === {json.dumps(path)})"
        assert self.in_page(f"Boolean({link})"), f"no link to {path} on the page"
        self.browser.forget()
        self.in_page(f"{link}.click()")
        url = self.site.rstrip("/") + path
        self.browser.until(f"document.getElementById('url').value === {json.dumps(url)}")
        address = self.browser.evaluate("location.pathname")
        assert address.endswith(url), f"the banner tells {url}, the address is {address}"
        return url

    def banner(self):
        return self.browser.evaluate("document.querySelector('.banner').innerText")

    def nothing_wrong(self):
        """No request went elsewhere, and no console complained."""
        wrong = leaks(self.browser, self.port) + [f"console: {line}" for line in self.browser.console]
        assert not wrong, few(wrong)

    def from_the_first_page(self):
        browser = self.browser
        browser.forget()
        browser.navigate(f"http://{UI_HOST}:{self.port}/")
        browser.screenshot(self.workdir / "interface.png")
        browser.follow(f"document.querySelector('a[href=\"/c/{self.snapshot.name}/\"]').click()")
        listed = browser.evaluate("document.querySelectorAll('.pages .what a').length")
        assert listed, "the collection lists no pages"
        browser.screenshot(self.workdir / "collection.png")
        browser.follow("document.querySelector('.pages .what a').click()")
        assert browser.evaluate("document.getElementById('url').value") == self.site, self.banner()
        assert "Archived copy" in self.banner(), self.banner()
        assert browser.evaluate("document.title").startswith(self.home["title"]), browser.evaluate("document.title")
        assert self.host in browser.frame_hosts(), f"the shell shows {sorted(browser.frame_hosts())}"
        text = self.in_page("document.body.innerText")
        assert "What happened to the water" in text, f"the framed page says {text[:200]!r}"
        browser.screenshot(self.workdir / "shell.png")
        self.nothing_wrong()
        return f"{listed} pages listed"

    def link_within(self):
        self.open(self.site)
        title = self.browser.evaluate("document.title")
        url = self.follow_within("/evidence/")
        self.browser.until(f"document.title !== {json.dumps(title)}")
        assert "Evidence library" in self.browser.evaluate("document.title")
        assert "Evidence library" in self.in_page("document.querySelector('h1').innerText")
        self.nothing_wrong()
        return url

    def hearings(self):
        self.open(self.site + "hearings/")
        captured = self.snapshot_json("/data/hearings.json")["hearings"]
        shown = self.in_page("[...document.querySelectorAll('#hearings > li h3')].map(heading => heading.innerText)")
        assert shown == [hearing["subject"] for hearing in captured], f"shown: {shown}"
        assert len(shown) == 7, f"{len(shown)} hearings"
        assert self.in_page("document.getElementById('hearings-count').innerText") == "7 hearings were held."
        self.nothing_wrong()
        return f"{len(shown)} entries"

    def snapshot_json(self, path):
        """What the archive answers for a path of the site, read by the archived page itself."""
        return self.in_page(f"fetch({json.dumps(path)}).then(answer => answer.json())")

    def pdf(self):
        """As headless Chromium has no viewer, the answer in the frame is what can be seen of it."""
        self.open(self.site + "evidence/")
        path = self.in_page("document.querySelector('a[href$=\".pdf\"]').pathname")
        url = self.follow_within(path)
        frame = f"http://{self.host}:{self.port}/.lastlight/pdf{path}"
        assert self.browser.evaluate("document.getElementById('frame').src") == frame
        assert self.browser.evaluate("document.getElementById('frame').getAttribute('sandbox')") is None, "sandboxed"
        answers = [(r["status"], r["media_type"]) for r in self.browser.requests if r["url"] == frame]
        assert answers == [(200, "application/pdf")], answers
        self.nothing_wrong()
        # Opened by its address, as from a bookmark.
        self.open(url)
        answers = [(r["status"], r["media_type"]) for r in self.browser.requests if r["url"] == frame]
        assert answers == [(200, "application/pdf")], answers
        self.nothing_wrong()
        return url

    def broken_link(self):
        """A URL that was never captured; the one that the demo's site links to answered 404, and still does."""
        browser = self.browser
        self.open(self.site + "findings/6-recommendations/")
        assert browser.evaluate("document.getElementById('missing').hidden"), self.banner()
        url = self.follow_within("/evidence/HV-0310-annex.pdf")
        statuses = [r["status"] for r in browser.requests if r["type"] == "Document"]
        assert statuses == [404], statuses
        assert browser.evaluate("document.getElementById('missing').hidden"), "the site's own 404 counts as missing"
        never = self.site + "never-captured/"
        self.in_page(f"location.href = {json.dumps(never)}")
        browser.until(f"document.getElementById('url').value === {json.dumps(never)}")
        assert "Not in this archive" in self.in_page("document.body.innerText")
        links = self.in_page("[...document.links].map(link => link.href)")
        assert not links, f"the sandbox stops {links}"
        count = browser.until("document.querySelector('#missing summary').textContent")
        assert count == "1 missing", count
        listed = browser.evaluate("[...document.querySelectorAll('#missing li a')].map(link => link.textContent)")
        assert listed == [never], listed
        assert "not captured" in self.banner(), self.banner()
        browser.screenshot(self.workdir / "missing.png")
        assert not leaks(browser, self.port), few(leaks(browser, self.port))
        return f"{count}, and {url} is the 404 that it was"

    def content_address(self):
        self.browser.forget()
        self.browser.navigate(f"http://{self.host}:{self.port}/questions/")
        address = self.browser.evaluate("location.href")
        expected = view_address(self.site + "questions/", self.time, self.snapshot.name, self.port)
        assert address == expected, f"{address}, expected {expected}"
        assert "Questions" in self.in_page("document.body.innerText")
        self.nothing_wrong()

    def by_keyboard(self):
        browser, pressed = self.browser, 0
        browser.forget()
        browser.navigate(f"http://{UI_HOST}:{self.port}/")

        def go(expression):
            """Tabs to a link or button, which must show that it has the focus, and presses Enter."""
            nonlocal pressed
            pressed += browser.tab_to(expression)
            shown = browser.evaluate("(s => s.outlineStyle !== 'none' && s.outlineWidth !== '0px')(getComputedStyle(document.activeElement))")
            assert shown, f"the focus isn't seen on: {browser.evaluate('document.activeElement.outerHTML')[:200]}"
            browser._loaded = False
            browser.press("Enter")
            browser.settle()

        # What is found is there before the form is sent.
        pressed += browser.tab_to("it.matches('input[type=search]')")
        for letter in "evidence":
            browser.press(letter)
        browser.until("document.querySelector('#found .pages a') && document.getElementById('told').textContent.endsWith('results')")
        assert browser.evaluate("location.search").startswith("?q=evidence"), browser.evaluate("location.search")
        browser.screenshot(self.workdir / "typed.png")
        url = self.site + "evidence/"
        go(f"it.matches('#found .pages a') && it.href.endsWith({json.dumps(url)})")
        assert browser.evaluate("document.getElementById('url').value") == url, self.banner()
        # From the banner to the capture's own page, its checks, and its calendar.
        go("it.id === 'details'")
        assert url in browser.evaluate("document.querySelector('h1 + p').innerText")
        go("it.textContent === 'Verify now'")
        assert "nothing is altered" in browser.evaluate("document.getElementById('checks').innerText")
        rows = browser.evaluate("[...document.querySelectorAll('#checks tbody tr')].map(row => row.cells[1].innerText)")
        assert rows == ["yes"] * 6, rows
        browser.screenshot(self.workdir / "capture.png")
        go("it.textContent === 'All captures'")
        go("it.matches('.month a, .list a') && it.pathname.startsWith('/view/')")
        assert browser.evaluate("document.getElementById('url').value") == url, self.banner()
        # At its original address: what comes of the button depends on the machine, that it is
        # heard does not.
        browser.press("Tab")
        go("it.id === 'open'")
        go("it.matches('form[method=post] button')")
        told = browser.evaluate("document.querySelector('[role=alert], [role=status]').innerText")
        assert "It can’t be opened" in told or "A browser window opens" in told, told
        browser.console.clear()
        # Into the archived page, past the banner.
        browser.navigate(view_address(self.site, self.time, self.snapshot.name, self.port))
        browser.press("Tab")
        assert browser.evaluate("document.activeElement.className") == "skip"
        browser.press("Enter")
        browser.press("Tab")
        inside = self.in_page("document.activeElement.tagName")
        assert inside == "A", f"the focus is at {inside} of the archived page"
        self.nothing_wrong()
        return f"{pressed} times Tab"

    def every_page(self):
        # They can't be expected now if they didn't answer 200 when they were captured.
        rows = made.ledger(self.snapshot)
        missing = {row["url"] for row in rows if row["state"] != "captured" or row["status"] != "200"}
        pages = [page for page in self.pages if page["url"] not in missing]
        assert pages, "the snapshot has no pages"
        found, images, sheets = [], 0, 0
        for page in pages:
            time = timestamp14(page["ts"])
            self.open(page["url"], time)
            host = content_host(page["url"], time, self.snapshot.name)
            wrong, state = faults(self.browser, self.port, host, page.get("title"), missing)
            # The console's own lines about failed loads repeat what the requests say.
            wrong += [f"console: {line}" for line in self.browser.console if "Failed to load resource" not in line]
            found += [f"{page['url']}: {fault}" for fault in wrong]
            images += state["images"]
            sheets += state["sheets"]
        assert not found, few(found, 20)
        assert images and sheets, "no pictures or no styles on any page, so that this proves little"
        return f"{len(pages)} pages, {images} pictures, {sheets} style sheets"


    def open_in_path_mode(self, url, time):
        self.browser.forget()
        self.browser.navigate(f"http://127.0.0.1:{self.port}/view/{self.snapshot.name}/{time}/{url}")

    def every_page_in_path_mode(self):
        missing = {row["url"] for row in made.ledger(self.snapshot) if row["status"] != "200"}
        found, images = [], 0
        for page in self.pages:
            if page["url"] in missing:
                continue
            self.open_in_path_mode(page["url"], timestamp14(page["ts"]))
            state = self.browser.evaluate(
                """({origin: self.origin, text: document.body.innerText.trim().length,
                    styled: getComputedStyle(document.body).margin === "0px",
                    pictures: [...document.images].filter(image => image.complete).length,
                    blank: [...document.images].filter(image => image.src && image.complete && !image.naturalWidth).map(image => image.src)})""",
                "",
            )
            wrong = leaks(self.browser, self.port)
            wrong += [f"blank picture: {url}" for url in state["blank"] if url.split("_/", 1)[-1] not in missing]
            if state["origin"] != "null":
                wrong.append(f"its origin is {state['origin']}")
            if not state["text"] or not state["styled"]:
                wrong.append(f"no text or no style: {state}")
            for request in self.browser.requests:
                if (request["status"] or 0) >= 400 and request["url"].split("_/", 1)[-1] not in missing:
                    wrong.append(f"{request['url']}: {request['status']}")
            found += [f"{page['url']}: {fault}" for fault in wrong]
            images += state["pictures"]
        assert not found, few(found, 20)
        assert images, "no pictures on any page"
        return f"{len(self.pages)} pages, {images} pictures"

    def pdf_in_path_mode(self):
        url = next(entry["url"] for entry in made.index(self.snapshot) if entry.get("mime") == "application/pdf")
        self.open_in_path_mode(url, self.time)
        shown = self.browser.evaluate("({sandbox: frame.getAttribute('sandbox'), address: frame.src})")
        assert shown["sandbox"] is None and "pd_/" in shown["address"], f"{shown}"
        types = {request["media_type"] for request in self.browser.requests if "pd_/" in request["url"]}
        assert "application/pdf" in types, f"the frame got {types}"
        assert "can't be shown" not in self.banner(), self.banner()
        self.browser.screenshot(self.workdir / "path-mode-pdf.png")
        return url

    def link_in_path_mode(self):
        self.open_in_path_mode(self.site + "hearings/", self.time)
        shown = self.browser.evaluate("document.querySelectorAll('#hearings > li').length", "")
        assert shown == 7, f"a script filled the list with {shown} hearings"
        self.browser.evaluate("[...document.links].find(link => link.href.endsWith('/evidence/')).click()", "")
        url = self.site + "evidence/"
        self.browser.until(f"document.getElementById('url').value === {json.dumps(url)}")
        self.browser.until("document.title.startsWith('Evidence library')")
        self.browser.screenshot(self.workdir / "path-mode.png")
        return url


def loopback_only(reached, port):
    hosts, addresses = reached
    own = (UI_HOST, "127.0.0.1")
    foreign = [host for host in hosts if host not in own and not host.endswith("." + UI_HOST)]
    foreign += [address for address in addresses if address not in (f"127.0.0.1:{port}", f"[::1]:{port}")]
    assert not foreign, few(sorted(foreign))
    assert addresses, "the network log holds no connection at all"


if __name__ == "__main__":
    sys.exit(main())
