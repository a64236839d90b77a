#!/usr/bin/env python3
"""Opens the demo's replay in headless Chromium: `check.py BINARY WORKDIR`.

Each archived page must show its text, pictures, styles and fonts, and nothing may
be asked of any host but the replay's own. A picture of the first page is left in
WORKDIR. Runs in the environment of tests/peers/requirements.txt.
"""

import json
import pathlib
import sys

from chromium import Chromium
from replayed import content_address, faults, leaks, timestamp14

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
    with replay(binary, snapshot, workdir) as port, Chromium() as browser:
        checks.run("the interface opens and lists pages", interface, browser, port, workdir)
        checks.run("every page replays with text, pictures, styles", every_page, browser, port, snapshot, workdir)
        checks.run("a page opens within the shell", shell, browser, port, snapshot, workdir)
        reached = browser.close()
    checks.run("the browser reached nothing but loopback", loopback_only, reached, port)
    return checks.done()


def interface(browser, port, workdir):
    browser.forget()
    browser.navigate(f"http://{UI_HOST}:{port}/")
    found, _ = faults(browser, port)
    browser.screenshot(workdir / "interface.png")
    assert not found and not browser.console, few(found + browser.console)
    links = browser.evaluate("document.links.length")
    assert links, "no links on the first page"
    return f"{links} links"


def missing_then(snapshot):
    """URLs that did not answer 200 when they were captured: they can't be expected now."""
    return {row["url"] for row in made.ledger(snapshot) if row["state"] != "captured" or row["status"] != "200"}


def every_page(browser, port, snapshot, workdir):
    missing = missing_then(snapshot)
    pages = [page for page in made.pages(snapshot) if page["url"] not in missing]
    assert pages, "the snapshot has no pages"
    found, images, sheets = [], 0, 0
    for number, page in enumerate(pages):
        browser.forget()
        browser.navigate(content_address(page["url"], timestamp14(page["ts"]), snapshot.name, port))
        wrong, state = faults(browser, port, page.get("title"), missing)
        found += [f"{page['url']}: {fault}" for fault in wrong]
        # The console's own lines about failed loads repeat what the requests say.
        found += [
            f"{page['url']}: console: {line}" for line in browser.console if "Failed to load resource" not in line
        ]
        images += state["images"]
        sheets += state["sheets"]
        if number == 0:
            browser.screenshot(workdir / "page.png")
    assert not found, few(found, 20)
    assert images and sheets, "no pictures or no styles on any page, so that this proves little"
    return f"{len(pages)} pages, {images} pictures, {sheets} style sheets"


def shell(browser, port, snapshot, workdir):
    """The link that a reader follows from the page list leads to the page in a frame, below the banner."""
    browser.forget()
    browser.navigate(f"http://{UI_HOST}:{port}/")
    page = made.pages(snapshot)[0]
    address = content_address(page["url"], timestamp14(page["ts"]), snapshot.name, port)
    link = browser.evaluate(
        f"([...document.links].find(link => decodeURIComponent(link.href).includes({json.dumps(page['url'])})) || {{}}).href"
    )
    assert link, f"no link to {page['url']} on the first page"
    browser.navigate(link)
    assert not leaks(browser, port), few(leaks(browser, port))
    host = address.split("/")[2].split(":")[0]
    frames = [name for name in browser.frame_hosts() if name.split(".")[0] == host.split(".")[0]]
    assert frames, f"the shell shows {sorted(browser.frame_hosts())}, not {host}"
    text = browser.evaluate("document.body.innerText", host=frames[0])
    browser.screenshot(workdir / "shell.png")
    assert text.strip(), "the framed page has no text"


def loopback_only(reached, port):
    hosts, addresses = reached
    foreign = [host for host in hosts if host != UI_HOST and not host.endswith("." + UI_HOST)]
    foreign += [address for address in addresses if address not in (f"127.0.0.1:{port}", f"[::1]:{port}")]
    assert not foreign, few(sorted(foreign))
    assert addresses, "the network log holds no connection at all"


if __name__ == "__main__":
    sys.exit(main())
