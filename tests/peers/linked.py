"""What a site links to, worked out by Python's own parsers: a judge of what a crawler found.

`walk` follows every link of a live site, but into no trap that the caller names.
Written for these tests alone; it shares nothing with the crawler that it judges.
"""

import concurrent.futures
import html.parser
import http.client
import re
import threading
import urllib.parse
import xml.etree.ElementTree

# Attributes that hold one URL; srcset and style hold more and are read apart.
URL_ATTRIBUTES = {"href", "src", "data", "poster", "background", "action", "cite", "longdesc", "formaction", "manifest"}
REFRESH = re.compile(r"\s*[\d.]+\s*[;,]\s*url\s*=\s*(.+)", re.I)
# Of feeds and sitemaps: elements that hold a URL as text, and such that hold HTML.
XML_URLS = {"loc", "link", "comments", "commentRss", "url", "icon", "logo"}
XML_HTML = {"encoded", "content", "description", "summary"}
WORKERS = 4


class Links(html.parser.HTMLParser):
    """Every URL that a page names, as a browser would resolve it."""

    def __init__(self, address):
        super().__init__(convert_charrefs=True)
        self.base, self.found, self.in_style = address, [], False

    def handle_starttag(self, tag, attributes):
        self.in_style = tag == "style"
        posts = tag == "form" and dict(attributes).get("method", "").lower() == "post"
        for name, value in attributes:
            value = value or ""
            if tag == "base" and name == "href":
                self.base = urllib.parse.urljoin(self.base, value)
            elif name in URL_ATTRIBUTES:
                if not (posts and name == "action"):
                    self.found.append(value)
            elif name in ("srcset", "imagesrcset"):
                self.found += [candidate.split()[0] for candidate in value.split(",") if candidate.split()]
            elif name == "style":
                self.found += style_links(value)
            elif name == "content" and (refresh := REFRESH.match(value)):
                self.found.append(refresh[1].strip("'\" "))

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        self.in_style = False

    def handle_data(self, text):
        if self.in_style:
            self.found += style_links(text)


def page_links(address, text):
    """The URLs that a page names, resolved against its base."""
    page = Links(address)
    page.feed(text)
    return [resolved for link in page.found if (resolved := resolve(page.base, link))]


def style_links(css):
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    quoted = re.findall(r"""url\(\s*(?:"([^"]*)"|'([^']*)'|([^)'"\s]*))\s*\)|@import\s+(?:"([^"]*)"|'([^']*)')""", css)
    return [next(filter(None, groups), "") for groups in quoted]


def listed_links(address, text):
    """The URLs of a feed or a sitemap, those in the HTML that a feed carries too."""
    found = re.findall(r"""<\?xml-stylesheet[^>]*\bhref=["']([^"']+)""", text)
    linked = []
    try:
        root = xml.etree.ElementTree.fromstring(text.strip())
    except xml.etree.ElementTree.ParseError:
        return []
    # A style sheet for them (XSLT) holds templates for links rather than links.
    if root.tag.endswith("}stylesheet"):
        return []
    for element in root.iter():
        name, held = element.tag.rpartition("}")[2], (element.text or "").strip()
        # slash:comments, for one, is a number.
        if name in XML_URLS and "/" in held:
            found.append(held)
        elif name in XML_HTML and "<" in held:
            linked += page_links(address, held)
        found += [value for key, value in element.items() if key in ("href", "url", "src")]
    return linked + [resolved for link in found if (resolved := resolve(address, link))]


def resolve(base, link):
    try:
        target = urllib.parse.urljoin(base, link.strip())
        parts = urllib.parse.urlsplit(target)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    if parts.scheme not in ("http", "https"):
        return None
    path = parts.path or "/"
    if "/." in path and not path.startswith("//"):
        # `urljoin` leaves the dots of a whole URL as they are; browsers don't.
        path = urllib.parse.urljoin("/", path)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))


def key(url):
    """The same for all spellings of a URL: escapes undone, so that crawlers may write them as they like."""
    return urllib.parse.unquote(url)


class Walk:
    """A walk's outcome: what was linked, from where, and what each answered."""

    def __init__(self):
        # URL to the page that named it first; (status, media type) of what was asked for.
        self.linked, self.answers = {}, {}


def walk(seeds, belongs, is_trap=lambda url: False):
    """Follows links from the seeds to all that `belongs`, and asks for nothing that is a trap."""
    done, local = Walk(), threading.local()
    done.linked = {seed: "" for seed in seeds}
    level = list(seeds)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        while level:
            following = []
            for url, (answer, links) in zip(level, pool.map(lambda url: ask(url, local), level)):
                done.answers[url] = answer
                for link in links:
                    if link not in done.linked and belongs(link):
                        done.linked[link] = url
                        if not is_trap(link):
                            following.append(link)
            level = following
    return done


def ask(url, local):
    """One GET: (status, media type), and the URLs that the answer names."""
    parts = urllib.parse.urlsplit(url)
    connections = local.__dict__.setdefault("connections", {})
    target = urllib.parse.quote(parts.path + (f"?{parts.query}" if parts.query else ""), safe="/%?&=+:@,;!$'()*~[]|")
    for again in (True, False):
        if parts.netloc not in connections:
            connections[parts.netloc] = http.client.HTTPConnection("127.0.0.1", parts.port or 80, timeout=60)
        try:
            connections[parts.netloc].request("GET", target, headers={"Host": parts.netloc})
            answer = connections[parts.netloc].getresponse()
            body = answer.read()
            break
        except (OSError, http.client.HTTPException):
            # A kept connection may have been closed meanwhile; a new one must do.
            connections.pop(parts.netloc).close()
            if not again:
                raise
    media_type = answer.headers.get_content_type() if answer.headers["Content-Type"] else ""
    text, links = body.decode("utf-8", errors="replace"), []
    if answer.headers["Location"] and 300 <= answer.status < 400:
        links.append(resolve(url, answer.headers["Location"]))
    if media_type == "text/html":
        links += page_links(url, text)
    elif media_type == "text/css":
        links += [resolve(url, link) for link in style_links(text)]
    elif media_type.endswith("xml") and not media_type.endswith("svg+xml"):
        links += listed_links(url, text)
    return (answer.status, media_type), [link for link in links if link]
