#!/usr/bin/env python3
"""Whether replayed pages look as they did: `check.py BINARY WORKDIR [--site NAME ...] [--pages N]`.

Each site is served on loopback, crawled, and photographed page by page in headless
Chromium; then its server ends, and the same pages are photographed in the replay,
within the banner's frame. Of the two pictures of a page (1280 pixels wide, some
2,400 high) at most 0.5 % of the pixels may differ, by however little. The table
that is printed has a line for each page; pictures are left in WORKDIR.

demo        the demo's site
app         a single-page application: router, modules, JSON, canvas, worker (likeness/app)
wordpress   tests/wordpress's museum, PHP and MariaDB behind it
python      Debian's python3-doc

Runs in the environment of tests/peers/requirements.txt.
"""

import argparse
import base64
import contextlib
import itertools
import json
import pathlib
import shutil
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "peers"), str(HERE.parent / "browser"), str(HERE.parent / "wordpress")]
import snapshot as made
from checks import Checks, few
from chromium import Chromium
from replayed import content_host, is_own, timestamp14, view_address
from server import mortal, nginx, replay, serving

DOCUMENTATION = pathlib.Path("/usr/share/doc/python3/html")
WIDTH, HEIGHT = 1280, 2400
# How high the banner is, as a rule.
BANNER = 80
# Of all pixels of a picture.
MOST = 0.005

# What moves stands still in both, in frames too.
STILL = ["--force-prefers-reduced-motion"]

# Loads what waits for being seen, then waits until pictures, fonts and the page's own work are done.
READY = """(async () => {
  for (const image of document.images) {
    image.loading = 'eager';
    // Of a picture in several sizes browsers take one that they happen to have already, if it is
    // large enough: the same page is another picture each time, live too.
    for (const source of image.closest('picture')?.querySelectorAll('source') ?? []) source.remove();
    image.removeAttribute('srcset');
  }
  const patience = new Promise(resolve => setTimeout(resolve, 5000));
  await Promise.race([patience, document.fonts.ready]);
  await Promise.race([patience, Promise.all([...document.images].map(image => image.decode().catch(() => null)))]);
  await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  document.activeElement?.blur();
  return true;
})()"""

DIFFERENCE = """(async (live, replayed) => {
  const pixels = async base64 => {
    const image = new Image();
    image.src = 'data:image/png;base64,' + base64;
    await image.decode();
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  };
  const [a, b] = [await pixels(live), await pixels(replayed)];
  if (a.width !== b.width || a.height !== b.height) return {size: [a.width, a.height, b.width, b.height]};
  const [x, y] = [new Uint32Array(a.data.buffer), new Uint32Array(b.data.buffer)];
  let differing = 0;
  const colours = new Set();
  for (let i = 0; i < x.length; i++) {
    if (x[i] !== y[i]) differing++;
    if (colours.size < 8) colours.add(x[i]);
  }
  return {share: differing / x.length, colours: colours.size};
})"""


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("binary", type=pathlib.Path)
    options.add_argument("workdir", type=pathlib.Path)
    options.add_argument("--site", choices=SITES, action="append", help="one of them (all)")
    options.add_argument("--pages", type=int, default=40, help="so many pages of a site, spread over its list")
    arguments = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    work = arguments.workdir.absolute() / "likeness"
    shutil.rmtree(work, ignore_errors=True)
    checks = Checks("likeness")
    for name in arguments.site or SITES:
        checks.run(f"{name} looks as it did", alike, arguments.binary.absolute(), work / name, name, arguments.pages)
    return checks.done()


def alike(binary, work, name, most):
    work.mkdir(parents=True)
    into = work / name
    with SITES[name](binary, work) as (seed, options):
        # Also where hosts elsewhere don't answer, as they don't in a closed network.
        command = [binary, "crawl", seed, "--delay", "0", "--connections", "4", *options, "--into", into, "--quiet"]
        crawl = subprocess.run(command, capture_output=True, text=True, timeout=900)
        assert crawl.returncode in (0, 1), f"the crawl ended with {crawl.returncode}: {crawl.stderr[-1000:]}"
        pages = chosen(into, most)
        assert pages, "no page was captured"
        for number, page in enumerate(pages):
            (work / f"{number}-live.png").write_bytes(photograph(page["url"]))
    # From here on the site is gone.
    found, worst = [], 0
    with replay(binary, into, work) as port:
        width = max(len(page["url"]) for page in pages)
        for number, page in enumerate(pages):
            share, wrong = compare(port, into.name, page, work / f"{number}")
            print(f"       {page['url']:<{width}} {share:9.4%}  {work.name}/{number}-*.png", flush=True)
            worst = max(worst, share)
            found += [f"{page['url']}: {fault}" for fault in wrong]
            if share > MOST:
                found.append(f"{page['url']}: {share:.2%} of the pixels differ")
    assert not found, few(found, 20)
    return f"{len(pages)} pages, at most {worst:.4%} of a page's pixels differ"


def chosen(into, most):
    """Pages that answered 200, the seed first: of each folder in turn, so that none with many has all the turns."""
    there = {row["url"] for row in made.ledger(into) if row["state"] == "captured" and row["status"] == "200" and not row["mark"]}
    folders = {}
    for page in made.pages(into):
        if page["url"] in there:
            folders.setdefault("/".join(page["url"].split("/")[:4]), []).append(page)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*folders.values()))
    return [page for page in turns if page][:most]


def photograph(address):
    """The page at an address, as a PNG."""
    # A browser for each: of a picture in several sizes it takes one that it has already.
    with Chromium(STILL, quiet=0.25) as browser:
        return picture(browser, address, None, 0)


def photograph_frame(address, host):
    """The frame of `host` in the shell at an address, as a PNG; and what was asked of others."""
    tops = [BANNER]
    while True:
        with Chromium(STILL, quiet=0.25) as browser:
            png = picture(browser, address, host, tops[-1])
            top = round(browser.evaluate("document.getElementById('frame').getBoundingClientRect().top"))
            if top == tops[-1]:
                return png, browser.requests
        assert top not in tops, f"the banner's height changes: {tops} {top}"
        tops.append(top)


def picture(browser, address, host, top):
    metrics = {"width": WIDTH, "height": HEIGHT + top, "deviceScaleFactor": 1, "mobile": False}
    browser.command("Emulation.setDeviceMetricsOverride", metrics, browser.page)
    browser.navigate(address)
    browser.evaluate(READY, host)
    browser.settle()
    clip = {"x": 0, "y": top, "width": WIDTH, "height": HEIGHT, "scale": 1}
    answer = browser.command("Page.captureScreenshot", {"format": "png", "clip": clip}, browser.page)
    return base64.b64decode(answer["data"])


def compare(port, collection, page, path):
    """The share of pixels that differ, and what else is wrong."""
    time = timestamp14(page["ts"])
    host = content_host(page["url"], time, collection)
    replayed, requests = photograph_frame(view_address(page["url"], time, collection, port), host)
    wrong = [f"leak: {request['url']}" for request in requests if not is_own(request["url"], port)]
    pathlib.Path(f"{path}-replay.png").write_bytes(replayed)
    live = pathlib.Path(f"{path}-live.png").read_bytes()
    pictures = ", ".join(json.dumps(base64.b64encode(png).decode()) for png in (live, replayed))
    with Chromium() as browser:
        browser.navigate("about:blank")
        told = browser.evaluate(f"{DIFFERENCE}({pictures})")
    if "size" in told:
        return 1.0, [*wrong, f"pictures of other sizes: {told['size']}"]
    if told["colours"] < 3:
        wrong.append("the live page shows nothing")
    return told["share"], wrong


# The sites: each yields its seed and further options of the crawl.


@contextlib.contextmanager
def demo(binary, work):
    with serving(mortal(binary, "demo", "--serve"), 8431, work / "demo.log", stop_with=signal.SIGINT):
        yield "http://inquiry.localhost:8431/", []


@contextlib.contextmanager
def app(_, work):
    with nginx(HERE / "app", work, locations="location / { try_files $uri /index.html; }") as port:
        yield f"http://127.0.0.1:{port}/", []


@contextlib.contextmanager
def python(_, work):
    assert DOCUMENTATION.is_dir(), "python3-doc isn't installed"
    with nginx(DOCUMENTATION.resolve(), work) as port:
        yield f"http://127.0.0.1:{port}/", []


@contextlib.contextmanager
def museum(_, work):
    from museum import install, wordpress

    install()
    with wordpress(work / "server") as site:
        yield site.url, ["--time-limit", "6m"]


SITES = {"demo": demo, "app": app, "wordpress": museum, "python": python}


if __name__ == "__main__":
    sys.exit(main())
