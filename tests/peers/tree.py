"""A site without files: nginx makes each page as it is asked for.

/p12 links to /p120 to /p129, and so on down to as many digits as are asked for.
"""


def locations(digits):
    """nginx's directives for the site, for a `server` block."""
    links = "".join(f"<li><a href=/p${{page}}{digit}>page {digit} below $uri</a></li>\n" for digit in range(10))
    text = "This page is one of a million and there is nothing on it that is worth a word more. " * 4
    return f"""
    default_type text/html;
    location = / {{ return 200 "<!doctype html><title>Home</title><a href=/p>the pages</a>"; }}
    location ~ "^/p(?<page>[0-9]{{0,{digits - 1}}})$" {{
      return 200 "<!doctype html><title>Page $page</title><ul>\n{links}</ul><p>{text}";
    }}
    location ~ "^/p(?<page>[0-9]{{{digits}}})$" {{
      return 200 "<!doctype html><title>Page $page</title><p>$uri<p>{text}{text}";
    }}
    """


def pages(digits):
    """How many pages the site has, without `/`."""
    return sum(10**level for level in range(digits + 1))
