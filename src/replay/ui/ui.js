// The shell's script: follows the archived page in the frame and keeps the
// banner and the address true to it. Everything that the frame says is
// untrusted text; it is shown as text, and led to only within this interface.
"use strict";

(() => {
  const { collection, time } = document.body.dataset;
  let frame = document.getElementById("frame");
  // The archived URL that the banner tells of, fragment included.
  let current = document.body.dataset.url;
  const element = (id) => document.getElementById(id);

  // An http or https URL in its canonical spelling, or null.
  const archived = (text) => {
    if (typeof text !== "string" || text.length > 32768) return null;
    let url;
    try {
      url = new URL(text);
    } catch {
      return null;
    }
    if (url.protocol !== "http:" && url.protocol !== "https:") return null;
    url.username = "";
    url.password = "";
    return url.href;
  };
  const withoutFragment = (url) => url.split("#", 1)[0];
  const viewOf = (url) => `/view/${collection}/${time}/${url}`;
  const rawOf = (url) => `/${collection}/${time}id_/${withoutFragment(url)}`;

  // The label of an origin <label>.<timestamp14>.<collection>.lastlight.localhost
  // of this visit; null for any other.
  const labelOf = (origin) => {
    let url;
    try {
      url = new URL(origin);
    } catch {
      return null;
    }
    const suffix = `.${time}.${collection}.${location.hostname}`;
    const label = url.hostname.slice(0, -suffix.length);
    const ours =
      url.protocol === location.protocol &&
      url.port === location.port &&
      url.hostname.endsWith(suffix) &&
      /^[a-z0-9_-]+$/.test(label);
    return ours ? label : null;
  };

  // Whether a URL has the host of its sender's label: no archived site may
  // show itself under another's name. A hashed label can't be read.
  const isOf = (url, label) => {
    const host = new URL(url).hostname.replaceAll("-", "--").replaceAll(".", "-");
    return label.startsWith("x-") || label.replace(/^[hs][0-9]*-/, "") === host;
  };

  const linkTo = (id, href) => {
    const link = element(id);
    if (typeof href === "string" && /^\/[^/]/.test(href)) {
      link.href = href;
      link.removeAttribute("aria-disabled");
    } else {
      link.removeAttribute("href");
      link.setAttribute("aria-disabled", "true");
    }
  };

  // A question that is asked again before its answer makes that answer stale.
  let asked = 0;
  const tellCapture = async (url, timestamp) => {
    const question = ++asked;
    const at = /^\d{14}$/.test(timestamp) ? timestamp : time;
    const plain = encodeURIComponent(withoutFragment(url));
    let answer;
    try {
      const response = await fetch(`/-/around/${collection}/${at}?url=${plain}`);
      if (!response.ok) return;
      answer = await response.json();
    } catch {
      return;
    }
    if (question !== asked) return;
    const when = element("when");
    if (answer.captured) {
      const moment = document.createElement("time");
      moment.dateTime = answer.datetime;
      moment.textContent = answer.text;
      when.replaceChildren("of ", moment, answer.without_query === true ? ", without the query" : "");
      element("place").textContent = `${answer.position} of ${answer.count}`;
    } else {
      when.textContent = "– not captured";
      element("place").textContent = "";
    }
    linkTo("previous", answer.previous);
    linkTo("next", answer.next);
    linkTo("calendar", answer.calendar);
    linkTo("raw", answer.raw);
  };

  let shownTimestamp = null;
  const onPage = (url, message) => {
    const title = typeof message.title === "string" ? message.title.trim().slice(0, 300) : "";
    document.title = `${title || withoutFragment(url)} · Lastlight`;
    element("said").replaceChildren();
    const moved = url !== current;
    const elsewhere = withoutFragment(url) !== withoutFragment(current);
    current = url;
    // The frame made the entry in the session's history; it only needs its
    // address, so that reload and bookmark come back here.
    if (moved) history.replaceState(null, "", viewOf(url));
    const field = element("url");
    if (document.activeElement !== field) field.value = url;
    const timestamp = message.status === "missing" ? null : String(message.timestamp);
    if (elsewhere || timestamp !== shownTimestamp) {
      shownTimestamp = timestamp;
      tellCapture(url, timestamp);
      countMissing();
    }
  };

  // Chromium shows PDF in no sandboxed frame. The address answers with PDF
  // and nothing else, so nothing that runs leaves the sandbox.
  const onPdf = (url, origin) => {
    const { pathname, search } = new URL(url);
    const free = document.createElement("iframe");
    free.id = "frame";
    free.title = "Archived page";
    free.src = `${origin}/.lastlight/pdf${pathname}${search}`;
    frame.replaceWith(free);
    frame = free;
    current = url;
    document.title = `${withoutFragment(url)} · Lastlight`;
    // The swapped frame takes its history along: this entry is a new one.
    history.pushState(null, "", viewOf(url));
    element("url").value = url;
    element("said").replaceChildren();
    tellCapture(url, null);
  };

  const onDownload = (url, message) => {
    const link = document.createElement("a");
    link.href = rawOf(url);
    link.download = "";
    link.textContent = new URL(url).pathname.split("/").pop() || url;
    const type = typeof message.type === "string" ? message.type.slice(0, 80) : "";
    element("said").replaceChildren("A file to download: ", link, type && ` (${type})`);
  };

  window.addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow) return;
    const label = labelOf(event.origin);
    const message = event.data;
    if (label === null || typeof message !== "object" || message === null) return;
    const url = archived(message.url);
    if (!url) return;
    if (message.lastlight === "page" && isOf(url, label)) onPage(url, message);
    else if (message.lastlight === "pdf" && isOf(url, label)) onPdf(url, event.origin);
    else if (message.lastlight === "open") location.assign(viewOf(url));
    else if (message.lastlight === "download") onDownload(url, message);
  });

  // An entry that this script pushed has no frame of its own to come back to.
  window.addEventListener("popstate", () => {
    const told = new URL(viewOf(current), location.origin);
    if (location.pathname + location.search !== told.pathname + told.search) location.reload();
  });

  // The address's fragment is the archived page's, so no jump may take it.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    frame.focus();
  });

  const showMissing = (urls, more) => {
    const box = element("missing");
    box.hidden = urls.length === 0;
    const plus = more ? "+" : "";
    box.querySelector("summary").textContent = `${urls.length}${plus} missing`;
    const here = withoutFragment(current);
    const rows = urls.toReversed().map((missing) => {
      const row = document.createElement("li");
      const link = document.createElement("a");
      const url = archived(missing.url);
      link.textContent = String(missing.url);
      if (url) link.href = `/c/${collection}/captures?url=${encodeURIComponent(url)}`;
      row.append(link, missing.kind ? ` (${missing.kind})` : "");
      row.classList.toggle("here", missing.referrer === here);
      return row;
    });
    box.querySelector("ul").replaceChildren(...rows);
  };

  let known = "";
  async function countMissing() {
    try {
      const response = await fetch(`/-/missing/${collection}/${time}`);
      if (!response.ok) return;
      const text = await response.text();
      if (text === known) return;
      known = text;
      const { urls, more } = JSON.parse(text);
      if (Array.isArray(urls)) showMissing(urls, more);
    } catch {
      // The server has gone; the banner keeps what it knows.
    }
  }

  // Often while a page loads, seldom after.
  let polls = 0;
  const poll = () => {
    if (!document.hidden) countMissing();
    polls += 1;
    setTimeout(poll, polls < 10 ? 1500 : 10000);
  };
  poll();

  // The server never sees a fragment.
  if (location.hash) {
    current += location.hash;
    frame.src += location.hash;
  }
})();
