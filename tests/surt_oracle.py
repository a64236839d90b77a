#!/usr/bin/env python3
"""Writes tests/data/surt.tsv: a URL, a tab, and the key that cdxj-indexer gives it, a line each.

    tests/surt_oracle.py CDXJ_INDEXER > tests/data/surt.tsv

CDXJ_INDEXER is the installed command (cdxj-indexer 1.5.0 with surt 0.3.1). It is only ever run: every
URL becomes a record of a WARC, and the keys are read from the index that it prints. The URLs are made
here, some by hand and the rest by a seeded generator. A URL whose record the indexer leaves out, or
whose key holds a tab or line break, has no line.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BY_HAND = """
http://inquiry.example
http://inquiry.example/
http://inquiry.example/?
http://inquiry.example/#
http://inquiry.example?b=1&a=2
http://www.inquiry.example/
http://www2.inquiry.example/
http://www12.inquiry.example/
http://wwww.inquiry.example/
http://www.inquiry.example.:80/
http://www/
http://www.example/
http://www1.www2.inquiry.example/
HTTP://WWW.Inquiry.EXAMPLE/Minutes/Of/THE/Day
https://inquiry.example:443/a
https://inquiry.example:80/a
http://inquiry.example:443/a
http://inquiry.example:8080/a/
http://inquiry.example:/a
http://inquiry.example:080/a
http://clerk@inquiry.example/a
http://clerk:secret@inquiry.example/a
http://inquiry.example//a///b//
http://inquiry.example/a/./b/../c
http://inquiry.example/../../a
http://inquiry.example/a/..
http://inquiry.example/a/.
http://inquiry.example/a%2Fb
http://inquiry.example/a%252Fb
http://inquiry.example/%41%7e%2e%2E/
http://inquiry.example/a%zz%
http://inquiry.example/a b
http://inquiry.example/a+b?c+d=e%20f
http://inquiry.example/a%23b?c%26d=1&b=2
http://inquiry.example/caf\u00e9?menu=caf\u00e9
http://inquiry.example/caf%C3%A9
http://inquiry.example/%ff%fe
http://caf\u00e9.example/
http://xn--caf-dma.example/
http://\u0434\u0435\u043b\u043e.example/\u0434
http://STRASSE.example/
http://stra\u00dfe.example/
http://inquiry.example/a;jsessionid=0123456789abcdef0123456789ABCDEF
http://inquiry.example/a;jsessionid=0123456789abcdef0123456789ABCDEF?b=1
http://inquiry.example/a;jsessionid=short
http://inquiry.example/a?jsessionid=0123456789abcdef0123456789abcdef&b=1
http://inquiry.example/a?b=1&PHPSESSID=0123456789abcdef0123456789abcdef
http://inquiry.example/a?PHPSESSID=0123456789abcdef0123456789abcdef
http://inquiry.example/a?sid=0123456789abcdef0123456789abcdef&b=1
http://inquiry.example/a?ASPSESSIONIDABCDEFGH=ABCDEFGHIJKLMNOPQRSTUVWX&b=1
http://inquiry.example/a?CFID=123&CFTOKEN=456&b=1
http://inquiry.example/a?cfid=123&b=1&cftoken=456
http://inquiry.example/(0123456789abcdefghijklmn)/page.aspx
http://inquiry.example/(S(0123456789abcdefghijklmn))/page.aspx?b=1
http://inquiry.example/(a(0123456789abcdefghijklmn)b(0123456789abcdefghijklmn))/page.aspx
http://inquiry.example/?b&a&c=&a=1&=2&&
http://inquiry.example/?a=1&a=&a
http://inquiry.example/?q=A=B=C&Q=a
http://inquiry.example/?q=a?b
http://192.0.2.7/a
http://192.0.2.7:8080/a
http://192.000.002.007/a
http://0300.0.02.07/a
http://3221225991/a
http://192.0.519/a
http://256.1.2.3/a
http://[2001:db8::7]/a
http://[2001:db8::7]:8080/a
http://localhost/a
http://localhost:8000
inquiry.example/a
//inquiry.example/a
/a/b
http:///inquiry.example/a
http:/inquiry.example/a
http:inquiry.example/a
http://http://inquiry.example/a
https://http://inquiry.example/a
ftp://ftp.inquiry.example/pub/
ftp://inquiry.example:21/pub
ftp://www.inquiry.example/pub
ws://inquiry.example:80/a
dns:inquiry.example
dns:www.inquiry.example
dns:192.0.2.7
urn:pageinfo:http://inquiry.example/
urn:view:https://www.inquiry.example/a?b=1&a=2
urn:text:https://inquiry.example/
urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8
warcinfo:/a.warc.gz
filedesc:a.warc.gz
filedesc://a.warc.gz
metadata://inquiry.example/a
screenshot:http://inquiry.example/
mailto:clerk@inquiry.example
javascript:void(0)
data:text/plain,a%20b
about:blank
file:///srv/a
whois://whois.example/inquiry.example
http://inquiry.example/a?b#c?d
http://inquiry.example/a?b=http://other.example/?c=d&e
http://inquiry.example/a/?b
http://inquiry.example/A/B/?C=D
http://a..inquiry.example/
http://.inquiry.example/
http://inquiry_1.example/a
http://-a-.inquiry.example/
http://inquiry.example/a\\b
http://inquiry.example/a|b"c'd<e>f`g{h}i^j[k]l
http://inquiry.example/a:b@c,d$e!f*g(h)
""".split("\n")

HEX = "0123456789abcdef"
ALNUM = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
WORDS = """inquiry notice Findings evidence LETTER blog chart font style page index.html minutes.PDF
 feed.xml a b c 1 22 2026 caf\u00e9 \u0434\u0435\u043b\u043e . .. %2e %41 %7E %25 %2541 %20 %c3%a9 %ff
 a+b a;b a:b a@b a,b ~clerk (x) x=y x&y $ ! * ' | ^ page.aspx""".split()
HOSTS = """inquiry.example www.inquiry.example www3.inquiry.example WWW.INQUIRY.EXAMPLE
 evidence.inquiry.example www.evidence.inquiry.example archive.example.co.uk a.b.c.d.example
 caf\u00e9.example xn--caf-dma.example localhost 192.0.2.33 198.51.100.4 wwwinquiry.example
 www-1.inquiry.example inquiry.example. [2001:db8::1]""".split()


def run(source, letters, length):
    return "".join(source.choice(letters) for _ in range(length))


def session(source):
    """A session id as servers add them, or one a character short."""
    length = source.choice([32, 32, 32, 31])
    return source.choice([
        lambda: f"jsessionid={run(source, HEX, length)}",
        lambda: f"PHPSESSID={run(source, HEX, length)}",
        lambda: f"sid={run(source, HEX, length)}",
        lambda: f"ASPSESSIONID{run(source, ALNUM[36:], 8)}={run(source, ALNUM[36:], length - 8)}",
        lambda: f"CFID={run(source, ALNUM[:10], 5)}&CFTOKEN={run(source, ALNUM[:10], 8)}",
    ])()


def path(source):
    parts = [source.choice(WORDS) for _ in range(source.randrange(6))]
    if source.random() < 0.08:
        letters = run(source, HEX, source.choice([24, 24, 23]))
        parts.insert(source.randrange(len(parts) + 1), source.choice(["(%s)", "(S(%s))"]) % letters)
    text = "".join(source.choice(["/", "/", "/", "/", "//"]) + part for part in parts)
    text += source.choice(["", "", "/"])
    if source.random() < 0.08:
        text += ";" + session(source)
    return text


def query(source):
    fields = []
    for _ in range(source.randrange(6)):
        name = source.choice(WORDS)
        fields.append(source.choice([name, name + "=", name + "=" + source.choice(WORDS)]))
    if source.random() < 0.25:
        fields.insert(source.randrange(len(fields) + 1), session(source))
    return "&".join(fields)


def generated(source):
    scheme = source.choices(["http", "https", "HTTP", "ftp", "ws"], [10, 10, 1, 1, 1])[0]
    user = source.choices(["", "clerk@", "clerk:a%20b@"], [20, 1, 1])[0]
    host = source.choice(HOSTS)
    port = source.choices(["", ":80", ":443", ":8080", ":21", ":"], [12, 2, 2, 2, 1, 1])[0]
    url = f"{scheme}://{user}{host}{port}{path(source)}"
    if source.random() < 0.6:
        url += "?" + query(source)
    if source.random() < 0.1:
        url += "#" + source.choice(WORDS)
    return url


def keys(indexer, urls):
    """The key of each URL that the indexer lists, by running it over a WARC with a record for each."""
    with tempfile.TemporaryDirectory() as directory:
        warc = Path(directory) / "urls.warc"
        at = {}
        with warc.open("wb") as out:
            for number, url in enumerate(urls):
                at[out.tell()] = url
                head = (
                    "WARC/1.0\r\nWARC-Type: resource\r\n"
                    f"WARC-Record-ID: <urn:uuid:00000000-0000-4000-8000-{number:012}>\r\n"
                    f"WARC-Target-URI: {url}\r\nWARC-Date: 2026-01-02T03:04:05Z\r\n"
                    "Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx\r\n\r\n"
                )
                out.write(head.encode())
        index = subprocess.run([indexer, str(warc)], check=True, capture_output=True).stdout.decode()
    found = {}
    for line in index.splitlines():
        key, fields = re.fullmatch(r"(.*) \d{14} (\{.*\})", line).groups()
        found[at[int(json.loads(fields)["offset"])]] = key
    return found


def main():
    source = random.Random(9309)
    urls = [line for line in BY_HAND if line] + [generated(source) for _ in range(4000)]
    urls = list(dict.fromkeys(urls))
    found = keys(sys.argv[1], urls)
    for url in urls:
        if url in found and not re.search(r"[\t\r\n]", found[url]):
            print(url, found[url], sep="\t")


if __name__ == "__main__":
    main()
