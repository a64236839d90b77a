//! The built-in closing site: a fictional public inquiry of about 40 pages on
//! two origins, with the things that make real websites hard to keep. It
//! answers requests as values and opens no socket ([`super::serve`] does);
//! `lastlight demo` crawls it, and so do the tests. The same question has the
//! same bytes as its answer on every run.

mod listing;
mod page;
mod pdf;
mod picture;
mod png;

use std::{
    collections::BTreeMap,
    io::Write as _,
    sync::atomic::{AtomicBool, Ordering},
};

use flate2::{Compression, Crc, write::GzEncoder};

use listing::Made;
use page::{Document, Page, escape, fill};

const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Page and document lists, pictures and style sheets of the closing site.
#[derive(Debug)]
pub struct Site {
    /// The closing date as HTML text.
    closes: String,
    closed: AtomicBool,
    pages: Vec<Page>,
    documents: Vec<Document>,
    /// Files by path: those of the second origin are under `/static/`.
    files: BTreeMap<String, File>,
}

/// An HTTP answer before it is framed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Header fields in the order to send, without `Date`, `Content-Length`,
    /// `Transfer-Encoding` and `Connection`, which belong to the framing.
    pub headers: Vec<(String, String)>,
    /// The content as coded (`Content-Encoding`). A HEAD answer has the
    /// content that GET would have; the server must not send it.
    pub body: Vec<u8>,
    /// Whether the content is to be sent in chunks.
    pub chunked: bool,
}

#[derive(Debug)]
struct File {
    media_type: &'static str,
    content: Vec<u8>,
}

/// The origins that pages name, told by the Host header of the request.
struct Origins {
    main: String,
    assets: String,
    serves: Serves,
}

#[derive(PartialEq, Eq)]
enum Serves {
    Main,
    Assets,
    Both,
}

impl Site {
    /// A site that closes on `closes`, a day such as `31 March 2027`.
    pub fn new(closes: &str) -> Site {
        let documents = page::documents();
        let mut files = embedded();
        for document in &documents {
            files.insert(
                document.path(),
                File {
                    media_type: "application/pdf",
                    content: pdf::write(document),
                },
            );
        }
        for (path, content) in picture::pictures() {
            let media_type = "image/png";
            files.insert(
                path,
                File {
                    media_type,
                    content,
                },
            );
        }
        Site {
            closes: escape(closes),
            closed: AtomicBool::new(false),
            pages: page::pages(),
            documents,
            files,
        }
    }

    /// Closes the site: from now on the main origin answers every request
    /// with status 200 and a closing notice.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Answers one request: `host` as in the Host header, `target` in origin
    /// form (RFC 9112 §3.2.1), gzip coding only where `accept_gzip` says that
    /// the client takes it. Pages are served on `inquiry.localhost`,
    /// `127.0.0.1` and `localhost`, the second origin's files on
    /// `assets.inquiry.localhost` and `localhost`; other hosts get 421.
    pub fn answer(&self, method: &str, host: &str, target: &str, accept_gzip: bool) -> Answer {
        let Some(origins) = origins(host) else {
            return plain(421, "This server does not answer for that host.\n");
        };
        if !matches!(method, "GET" | "HEAD") {
            return plain(405, "Only GET and HEAD are answered.\n").with("Allow", "GET, HEAD");
        }
        if !target.starts_with('/') {
            return plain(400, "The request target must be a path.\n");
        }
        if self.closed.load(Ordering::Relaxed) && origins.serves != Serves::Assets {
            let notice = include_str!("site/assets/closed.html");
            return html(200, fill(notice, &[("closes", &self.closes)]));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let answer = self
            .file(&origins, path)
            .or_else(|| self.main(&origins, path, query));
        let answer = answer.unwrap_or_else(|| self.missing(&origins));
        if coded(path) {
            answer.gzip(accept_gzip)
        } else {
            answer
        }
    }

    /// What is served as it is, but for the origins that style sheets name.
    fn file(&self, origins: &Origins, path: &str) -> Option<Answer> {
        let elsewhere = if path.starts_with("/static/") {
            Serves::Main
        } else {
            Serves::Assets
        };
        if origins.serves == elsewhere {
            return None;
        }
        let file = self.files.get(path)?;
        let content = match std::str::from_utf8(&file.content) {
            Ok(text) if file.media_type.starts_with("text/css") => {
                fill(text, &[("assets", &origins.assets)]).into_bytes()
            }
            _ => file.content.clone(),
        };
        let mut crc = Crc::new();
        crc.update(&content);
        let tag = format!("\"{:08x}-{:x}\"", crc.sum(), content.len());
        let answer = Answer::new(200, file.media_type, content)
            .with("ETag", &tag)
            .with("Cache-Control", "public, max-age=86400");
        Some(if path.starts_with("/static/") {
            // Fonts of another origin need it (Fetch §3.2).
            answer.with("Access-Control-Allow-Origin", "*")
        } else {
            answer
        })
    }

    /// Everything else of the main origin, and the second one's robots.txt.
    fn main(&self, origins: &Origins, path: &str, query: &str) -> Option<Answer> {
        if origins.serves == Serves::Assets {
            return (path == "/robots.txt").then(|| plain(200, "User-agent: *\nDisallow:\n"));
        }
        if let Some(answer) = self.redirect(origins, path) {
            return Some(answer);
        }
        let values = [
            ("main", origins.main.as_str()),
            ("assets", &origins.assets),
            ("closes", &self.closes),
        ];
        let xml =
            |media_type, text: &str| Answer::new(200, media_type, fill(text, &values).into_bytes());
        match path {
            "/robots.txt" => Some(plain(
                200,
                &format!(
                    "User-agent: *\nDisallow: /private/\n\nSitemap: {}/sitemap.xml\n",
                    origins.main
                ),
            )),
            "/sitemap.xml" => {
                let sitemap = listing::sitemap(&self.paths());
                Some(xml("application/xml", &sitemap))
            }
            "/updates/feed.xml" => {
                let feed = listing::feed(&self.under("/updates/"));
                Some(xml("application/atom+xml", &feed))
            }
            "/map/frame.html" => Some(html(
                200,
                fill(include_str!("site/assets/frame.html"), &values),
            )),
            "/start.html" => Some(html(
                200,
                fill(include_str!("site/assets/start.html"), &values),
            )),
            _ => self
                .made(path, query)
                .map(|made| {
                    let whole = if query.is_empty() {
                        path.to_owned()
                    } else {
                        format!("{path}?{query}")
                    };
                    html(200, self.lay_out(origins, &whole, &made, "", "utf-8"))
                })
                .or_else(|| self.written(origins, path)),
        }
    }

    /// The old addresses: some kept their link, one takes two steps, and a
    /// page asked for without its closing slash is told of it.
    fn redirect(&self, origins: &Origins, path: &str) -> Option<Answer> {
        let (status, location) = match path {
            "/open-letter" => (302, "/letter/".to_owned()),
            "/interim" => (301, "/interim-report".to_owned()),
            "/interim-report" => (302, "findings/interim/".to_owned()),
            "/faq" => (301, "/questions/".to_owned()),
            _ => {
                let whole = format!("{path}/");
                let known = self.paths().contains(&whole);
                if !known {
                    return None;
                }
                (301, format!("{}{whole}", origins.main))
            }
        };
        let text = format!("This page is at {location}\n");
        Some(plain(status, &text).with("Location", &location))
    }

    /// Pages that are made from others.
    fn made(&self, path: &str, query: &str) -> Option<Made> {
        if let Some(rest) = path.strip_prefix("/calendar/") {
            return listing::month(rest);
        }
        if path == "/evidence/" {
            let page = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("page="))
                .map_or(Some(1), |page| page.parse().ok())?;
            return listing::evidence(&self.documents, page);
        }
        let updates = self.under("/updates/");
        if path == "/updates/" {
            return listing::updates(&updates, 1);
        }
        let page = path.strip_prefix("/updates/page/")?.strip_suffix('/')?;
        listing::updates(&updates, page.parse().ok().filter(|page| *page > 1)?)
    }

    /// Pages that stand in the text files.
    fn written(&self, origins: &Origins, path: &str) -> Option<Answer> {
        let page = self.pages.iter().find(|page| page.path == path)?;
        let series = if path.starts_with("/updates/") {
            self.under("/updates/")
        } else {
            self.chapters()
        };
        let made = Made {
            title: page.title.to_owned(),
            summary: page.summary.to_owned(),
            body: page.body.to_owned() + "\n" + &listing::neighbours(&series, path),
        };
        if path.starts_with("/notices/") {
            // The charset stands in the page alone, as in many old pages.
            let text = self.lay_out(origins, path, &made, page.date, "windows-1252");
            let (content, ..) = encoding_rs::WINDOWS_1252.encode(&text);
            return Some(Answer::new(200, "text/html", content.into_owned()));
        }
        let mut answer = html(200, self.lay_out(origins, path, &made, page.date, "utf-8"));
        answer.chunked = path.starts_with("/transcripts/day-");
        Some(if path == "/about/cookies/" {
            answer.with("Set-Cookie", "cookies_page_seen=1; Path=/; SameSite=Lax")
        } else {
            answer
        })
    }

    fn missing(&self, origins: &Origins) -> Answer {
        if origins.serves == Serves::Assets {
            return plain(404, "There is no such file.\n");
        }
        let made = Made {
            title: "Page not found".to_owned(),
            summary: "There is no page at this address.".to_owned(),
            body: "<p>There is no page at this address. It may have been withdrawn, or the link may be wrong.</p>\n\
                   <p>Try <a href=\"/findings/\">the findings</a>, <a href=\"/evidence/\">the evidence library</a> \
                   or <a href=\"/sitemap.xml\">the sitemap</a>.</p>\n"
                .to_owned(),
        };
        html(404, self.lay_out(origins, "/", &made, "", "utf-8"))
    }

    /// Puts a page into the frame that all share: notice, header, footer.
    fn lay_out(
        &self,
        origins: &Origins,
        path: &str,
        made: &Made,
        date: &str,
        charset: &str,
    ) -> String {
        let latest = self.under("/updates/");
        let latest = listing::cards(&latest[..latest.len().min(3)], "h3");
        let share = format!("{}{path}", origins.main)
            .replace(':', "%3A")
            .replace('/', "%2F");
        let chapters = listing::chapters(&self.chapters());
        let body = fill(
            &made.body,
            &[
                ("main", &origins.main),
                ("closes", &self.closes),
                ("latest", &latest),
                ("chapters", &chapters),
                ("share_url", &share),
            ],
        );
        let heading = if path == "/" && made.title == "Home" {
            String::new()
        } else {
            let kicker = if date.is_empty() {
                String::new()
            } else {
                format!("<p class=\"kicker\">{date}</p>\n")
            };
            format!("{kicker}<h1>{}</h1>\n", escape(&made.title))
        };
        let head = if path == "/hearings/" {
            "<link rel=\"preload\" as=\"fetch\" href=\"/data/hearings.json\" crossorigin>\n"
        } else {
            ""
        };
        fill(
            include_str!("site/assets/layout.html"),
            &[
                ("charset", charset),
                ("title", &escape(&made.title)),
                ("summary", &escape(&made.summary)),
                ("main", &origins.main),
                ("path", &escape(path)),
                ("closes", &self.closes),
                ("nav", &navigation(&origins.main, path)),
                ("head", head),
                ("body", &(heading + &body)),
            ],
        )
    }

    /// Written pages below a path, in order, without that path's own page.
    fn under(&self, path: &str) -> Vec<&Page> {
        let below = |page: &&Page| page.path.starts_with(path) && page.path != path;
        self.pages.iter().filter(below).collect()
    }

    /// The numbered chapters of the findings.
    fn chapters(&self) -> Vec<&Page> {
        let numbered = |page: &&Page| {
            let name = page.path.strip_prefix("/findings/").unwrap_or_default();
            name.starts_with(|first: char| first.is_ascii_digit())
        };
        self.pages.iter().filter(numbered).collect()
    }

    /// Paths of all pages that are to be kept: all but `/private/` and the
    /// calendar.
    fn paths(&self) -> Vec<String> {
        let public = |page: &&Page| !page.path.starts_with("/private/");
        let written = self.pages.iter().filter(public);
        written
            .map(|page| page.path.to_owned())
            .chain(listing::paths(&self.under("/updates/"), &self.documents))
            .chain(["/map/frame.html".to_owned(), "/start.html".to_owned()])
            .collect()
    }
}

impl Answer {
    fn new(status: u16, media_type: &str, body: Vec<u8>) -> Answer {
        Answer {
            status,
            headers: vec![("Content-Type".to_owned(), media_type.to_owned())],
            body,
            chunked: false,
        }
    }

    fn with(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same content in gzip coding, if the client takes it.
    fn gzip(self, accepted: bool) -> Answer {
        let answer = self.with("Vary", "Accept-Encoding");
        if !accepted {
            return answer;
        }
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        let body = gzip
            .write_all(&answer.body)
            .and_then(|()| gzip.finish())
            .expect("a Vec takes any write");
        Answer { body, ..answer }.with("Content-Encoding", "gzip")
    }
}

fn html(status: u16, text: String) -> Answer {
    Answer::new(status, HTML, text.into_bytes())
}

fn plain(status: u16, text: &str) -> Answer {
    Answer::new(status, PLAIN, text.as_bytes().to_vec())
}

/// Whether a path is sent in gzip coding where the client takes it: part of
/// the site, so that both kinds are met, and one transcript both coded and
/// chunked.
fn coded(path: &str) -> bool {
    path.starts_with("/css/")
        || path.starts_with("/findings/")
        || path == "/sitemap.xml"
        || path == "/transcripts/day-2.html"
}

/// The origins for a Host header, if the site answers for it. Only these
/// names and a port ever get from a request into a page.
fn origins(host: &str) -> Option<Origins> {
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, format!(":{}", port.parse::<u16>().ok()?)),
        None => (host, String::new()),
    };
    let name = name.to_ascii_lowercase();
    let (main, assets, serves) = match name.as_str() {
        "inquiry.localhost" => (name.as_str(), "assets.inquiry.localhost", Serves::Main),
        "127.0.0.1" => (name.as_str(), "localhost", Serves::Main),
        "localhost" => (name.as_str(), "assets.inquiry.localhost", Serves::Both),
        "assets.inquiry.localhost" => ("inquiry.localhost", name.as_str(), Serves::Assets),
        _ => return None,
    };
    Some(Origins {
        main: format!("http://{main}{port}"),
        assets: format!("http://{assets}{port}"),
        serves,
    })
}

/// The entries of the main menu; that of the page's own section is marked.
fn navigation(main: &str, path: &str) -> String {
    [
        ("/findings/", "Findings"),
        ("/hearings/", "Hearings"),
        ("/evidence/", "Evidence"),
        ("/letter/", "Open letter"),
        ("/updates/", "Updates"),
        ("/questions/", "Questions"),
    ]
    .into_iter()
    .map(|(section, name)| {
        let mark = if path.starts_with(section) {
            " aria-current=\"true\""
        } else {
            ""
        };
        format!("<li><a href=\"{main}{section}\"{mark}>{name}</a></li>\n")
    })
    .collect::<Vec<_>>()
    .concat()
}

/// The files that are compiled in.
fn embedded() -> BTreeMap<String, File> {
    const CSS: &str = "text/css; charset=utf-8";
    const JS: &str = "text/javascript; charset=utf-8";
    const SVG: &str = "image/svg+xml";
    let files: [(&str, &'static str, &[u8]); 14] = [
        ("/css/main.css", CSS, include_bytes!("site/assets/main.css")),
        ("/css/type.css", CSS, include_bytes!("site/assets/type.css")),
        (
            "/css/print.css",
            CSS,
            include_bytes!("site/assets/print.css"),
        ),
        ("/js/site.js", JS, include_bytes!("site/assets/site.js")),
        (
            "/js/hearings.js",
            JS,
            include_bytes!("site/assets/hearings.js"),
        ),
        (
            "/data/hearings.json",
            "application/json",
            include_bytes!("site/assets/hearings.json"),
        ),
        ("/img/mark.svg", SVG, include_bytes!("site/assets/mark.svg")),
        (
            "/img/clock.svg",
            SVG,
            include_bytes!("site/assets/clock.svg"),
        ),
        (
            "/img/contours.svg",
            SVG,
            include_bytes!("site/assets/contours.svg"),
        ),
        (
            "/img/reservoir.svg",
            SVG,
            include_bytes!("site/assets/reservoir.svg"),
        ),
        (
            "/img/chair.svg",
            SVG,
            include_bytes!("site/assets/chair.svg"),
        ),
        (
            "/static/valley.svg",
            SVG,
            include_bytes!("site/assets/valley.svg"),
        ),
        (
            "/static/valley-map.svg",
            SVG,
            include_bytes!("site/assets/valley-map.svg"),
        ),
        (
            "/static/vollkorn-semibold-latin.woff2",
            "font/woff2",
            include_bytes!("site/assets/vollkorn-semibold-latin.woff2"),
        ),
    ];
    files
        .into_iter()
        .map(|(path, media_type, content)| {
            let content = content.to_vec();
            (
                path.to_owned(),
                File {
                    media_type,
                    content,
                },
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
