"""Opens archived pages in Chromium and says what is wrong with them, if anything."""

import html
import pathlib
import re
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
from server import UI_HOST

# Waits for pictures that load only near the view, and for fonts; then says what did not load.
# A sheet of another origin hides its rules, but being there at all means that it was applied.
STATE = """(async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo(0, y);
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  scrollTo(0, 0);
  await Promise.race([document.fonts.ready, new Promise(resolve => setTimeout(resolve, 5000))]);
  await Promise.all([...document.images].map(image => image.complete ? null : new Promise(resolve => {
    image.onload = image.onerror = resolve;
    setTimeout(resolve, 5000);
  })));
  const broken = [];
  const walk = (sheet, name) => {
    let rules;
    try { rules = sheet.cssRules } catch (denied) { return }
    for (const rule of rules) {
      if (!(rule instanceof CSSImportRule)) continue;
      if (rule.styleSheet) walk(rule.styleSheet, rule.href); else broken.push('@import ' + rule.href);
    }
  };
  const links = [...document.querySelectorAll('link[rel~="stylesheet" i]:not([disabled]):not([rel~="alternate" i])')];
  for (const link of links) if (link.sheet) walk(link.sheet, link.href); else broken.push(link.href);
  return {
    title: document.title,
    text: document.body ? document.body.innerText : '',
    images: [...document.images].filter(image => image.naturalWidth).length,
    blank: [...document.images].filter(image => (image.currentSrc || image.src) && !image.naturalWidth)
      .map(image => image.currentSrc || image.src),
    sheets: links.filter(link => link.sheet).length,
    broken,
    fonts: [...document.fonts].filter(font => font.status === 'error').map(font => font.family),
  };
})()"""


def view_address(url, timestamp, collection, port):
    """Where a reader sees the archived `url`: in a frame below the banner."""
    return f"http://{UI_HOST}:{port}/view/{collection}/{timestamp}/{url}"


def content_host(url, timestamp, collection):
    """The name at which the replay serves the archived origin of `url`: each has one of its own."""
    parts = urllib.parse.urlsplit(url)
    default = {"http": 80, "https": 443}[parts.scheme]
    number = str(parts.port) if parts.port not in (None, default) else ""
    host = parts.hostname.replace("-", "--").replace(".", "-")
    label = f"{parts.scheme[-1] if parts.scheme == 'https' else 'h'}{number}-{host}"
    return f"{label}.{timestamp}.{collection}.{UI_HOST}"


def timestamp14(date):
    """`YYYYMMDDhhmmss` of an RFC 3339 time in UTC."""
    return re.sub(r"\D", "", date)[:14]


def archived_url(address, port):
    """What the replay's `address` stands for, or the address itself."""
    parts = urllib.parse.urlsplit(address)
    label, _, host = (parts.hostname or "").split(".")[0].partition("-")
    if parts.port != port or label[:1] not in ("h", "s"):
        return address
    scheme = {"h": "http", "s": "https"}[label[0]]
    host = host.replace("--", "\0").replace("-", ".").replace("\0", "-")
    number = f":{label[1:]}" if label[1:] else ""
    return f"{scheme}://{host}{number}{parts.path}" + (f"?{parts.query}" if parts.query else "")


def is_own(url, port):
    """Whether a request stayed within the replay: nothing else may be asked for anything."""
    if url.startswith(("data:", "blob:", "about:")):
        return True
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    # Path mode is at the listener's address.
    return parts.port == port and (host in (UI_HOST, "127.0.0.1") or host.endswith("." + UI_HOST))


def leaks(browser, port):
    return [f"leak: {request['url']}" for request in browser.requests if not is_own(request["url"], port)]


def faults(browser, port, host, title=None, expected_missing=frozenset()):
    """What is wrong with the page that the frame of `host` shows now, and its state.

    `expected_missing`: URLs that weren't there when it was captured either.
    """
    state = browser.evaluate(STATE, host)
    found = leaks(browser, port)
    if title is not None and spaced(state["title"]) != spaced(title):
        found.append(f"title {state['title']!r}, captured with {title!r}")
    if not state["text"].strip():
        found.append("no text")
    found += [f"blank picture: {url}" for url in state["blank"] if archived_url(url, port) not in expected_missing]
    found += [
        f"style sheet not applied: {url}" for url in state["broken"] if archived_url(url, port) not in expected_missing
    ]
    found += [f"font failed: {family}" for family in state["fonts"]]
    for request in browser.requests:
        known = archived_url(request["url"], port) in expected_missing
        if not known and (
            (request["status"] or 0) >= 400 or (request["error"] and request["error"] != "net::ERR_ABORTED")
        ):
            found.append(f"{request['url']}: {request['status'] or request['error']}")
    return found, state


def spaced(text):
    """HTML's own treatment of a title: references decoded, white space collapsed."""
    return " ".join(html.unescape(text).split())
