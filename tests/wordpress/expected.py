"""What a capture of the WordPress site must hold: known to database or disk, and linked; and what its traps are."""

import collections
import re
import urllib.parse

from linked import key, walk

# Each with the part of the site that it fills, told by its paths.
TRAPS = {
    "endless calendar": re.compile(r"^/events/."),
    "filters in any order": re.compile(r"^/collection/\?"),
    "sessions": re.compile(r"^/tickets/.*PHPSESSID="),
    "a path below itself": re.compile(r"^/rooms/."),
    # WordPress's own: each page of comments once more for each comment on it.
    "links to reply": re.compile(r"[?&]replytocom="),
}


class Expected:
    """Of each class the URLs that are public and linked, in the walker's spelling."""

    def __init__(self, site):
        self.site = site
        truth = site.truth()
        self.hidden = truth["hidden"]
        self.walk = walk([site.url, urllib.parse.urljoin(site.url, "/wp-sitemap.xml")], self.belongs, self.trap)
        classes = {key(url): name for name, urls in truth["public"].items() for url in urls}
        self.classes = collections.defaultdict(list)
        # Linked, but known to neither: WordPress's own addresses for machines, and answers of none.
        self.others = []
        for url in sorted(self.walk.linked):
            if self.trap(url):
                continue
            name = classes.get(key(url)) or self.file(url)
            if name:
                self.classes[name].append(url)
            else:
                self.others.append(url)
        self.known = {name: len(urls) for name, urls in truth["public"].items()}

    def __str__(self):
        return f"{len(self.urls())} URLs of {len(self.walk.linked)} that are linked"

    def belongs(self, url):
        return url.startswith(self.site.url)

    def trap(self, url):
        """The name of the trap that a URL belongs to."""
        target = "/" + url.removeprefix(self.site.url)
        return next((name for name, pattern in TRAPS.items() if pattern.search(target)), None)

    def file(self, url):
        """The class of a URL that is a file on the server's disk."""
        path = urllib.parse.unquote(urllib.parse.urlsplit(url).path).lstrip("/")
        if path.endswith(".php") or not (self.site.root / path).is_file():
            return None
        if path.startswith("wp-content/uploads/"):
            return "media"
        return "theme's files" if path.startswith("wp-content/themes/") else "WordPress's files"

    def urls(self):
        return [url for urls in self.classes.values() for url in urls]

    def missing(self, captured):
        """What of the expected isn't among `captured` URLs, by class."""
        held = {key(url) for url in captured}
        lacking = {name: [url for url in urls if key(url) not in held] for name, urls in self.classes.items()}
        return {name: urls for name, urls in lacking.items() if urls}

    def in_traps(self, captured):
        """How many captured URLs belong to each trap."""
        counts = collections.Counter(filter(None, map(self.trap, captured)))
        return {name: counts[name] for name in TRAPS}
