// The shell's script: follows the archived page in the frame and keeps the
// banner and the address true to it. Everything that the frame says is
// untrusted text; it is shown as text, and led to only within this interface.
"use strict";

(() => {
  const { collection, time, oneHost } = document.body.dataset;
  const frame = document.getElementById("frame");
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
  const clipped = (text) => (text.length > 80 ? text.slice(0, 79) + "…" : text);
  const viewOf = (url) => `/view/${collection}/${time}/${url}`;
  const openOf = (url) =>
    `/c/${collection}/open?url=${encodeURIComponent(withoutFragment(url))}&time=${time}`;
  const rawOf = (url) => `/${collection}/${time}id_/${withoutFragment(url)}`;

  // The label of an origin <label>.<timestamp14>.<collection>.lastlight.localhost
  // of this visit; null for any other.
  const labelOf = (origin) => {
    // In path mode pages have no origin; which one it is can't be read either.
    if (oneHost !== undefined) return origin === "null" ? "x-" : null;
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
      const lost = answer.without_query === true ? new URL(url).search : "";
      const near = typeof answer.near === "string" ? ` at a near address (${answer.near})` : "";
      when.replaceChildren("of ", moment, lost && ` without ${clipped(lost)}, which was not captured`, near);
      // In path mode a page without origin may say that it is any other.
      element("copy").textContent = oneHost === undefined ? "Archived copy" : "Archived copy, by its own account";
      element("place").textContent = `${answer.position} of ${answer.count}`;
    } else {
      element("copy").textContent = "No copy";
      when.textContent = answer.denied ? "– withheld by the operator of this replay" : "– not captured";
      element("place").textContent = "";
    }
    const [what, view] = Array.isArray(answer.kept_out) ? answer.kept_out : [];
    const link = document.createElement("a");
    link.textContent = "Show it";
    if (/^\/[^/]/.test(view)) link.href = view;
    element("kept-out").replaceChildren(...(what ? [`${what}. `, link] : []));
    linkTo("previous", answer.previous);
    linkTo("next", answer.next);
    linkTo("calendar", answer.calendar);
    linkTo("details", answer.details);
    linkTo("raw", answer.raw);
  };

  let shownTimestamp = null;
  const onPage = (url, message) => {
    const title = typeof message.title === "string" ? message.title.trim().slice(0, 300) : "";
    document.title = `${title || withoutFragment(url)} · Lastlight`;
    if (performance.now() - askedAt > 3000) element("said").replaceChildren();
    const moved = url !== current;
    const elsewhere = withoutFragment(url) !== withoutFragment(current);
    current = url;
    // The frame made the entry in the session's history; it only needs its
    // address, so that reload and bookmark come back here.
    if (moved) history.replaceState(null, "", viewOf(url));
    linkTo("open", openOf(url));
    const field = element("url");
    if (document.activeElement !== field) field.value = url;
    const timestamp = message.status === "missing" ? null : String(message.timestamp);
    if (elsewhere || timestamp !== shownTimestamp) {
      shownTimestamp = timestamp;
      tellCapture(url, timestamp);
      countMissing();
      tellTimes();
    }
  };

  // Chromium shows PDF in no sandboxed frame; the view of a PDF has one
  // without, at an address that answers with PDF and nothing else. It takes
  // the place of the entry that the frame made.
  const onPdf = (url) => {
    const view = new URL(viewOf(url), location.origin);
    if (view.pathname + view.search === location.pathname + location.search) {
      element("said").textContent = "This PDF can't be shown.";
    } else {
      location.replace(view);
    }
  };

  const onDownload = (url, message) => {
    const link = document.createElement("a");
    link.href = rawOf(url);
    link.download = "";
    link.textContent = new URL(url).pathname.split("/").pop() || url;
    const type = typeof message.type === "string" ? message.type.slice(0, 80) : "";
    element("said").replaceChildren("A file to download: ", link, type && ` (${type})`);
  };

  // A page may ask before it has told what it is.
  let askedAt = -Infinity;
  // Without a reader's click or key no page takes the reader elsewhere.
  const onOpen = (url) => {
    if (navigator.userActivation && navigator.userActivation.isActive) {
      location.assign(viewOf(url));
      return;
    }
    const link = document.createElement("a");
    link.href = viewOf(url);
    link.textContent = clipped(url);
    element("said").replaceChildren("The page asks to open: ", link);
    askedAt = performance.now();
  };

  // Frames of the archived page may ask for a window; only the page itself
  // says what is shown.
  let heard = 0;
  window.addEventListener("message", (event) => {
    const label = labelOf(event.origin);
    const message = event.data;
    if (label === null || typeof message !== "object" || message === null) return;
    const url = archived(message.url);
    if (!url) return;
    if (message.lastlight === "open") onOpen(url);
    if (event.source !== frame.contentWindow) return;
    heard = performance.now();
    if (message.lastlight === "page" && isOf(url, label)) onPage(url, message);
    else if (message.lastlight === "pdf" && isOf(url, label)) onPdf(url);
    else if (message.lastlight === "download") onDownload(url, message);
  });

  // A document without the replay's part tells nothing, so the banner must not
  // go on telling of the one before.
  let framed = 0;
  frame.addEventListener("load", () => {
    // There files stand in the frame without a page of ours around them.
    if (oneHost !== undefined) return;
    const loaded = performance.now();
    setTimeout(() => {
      if (heard > loaded - 1000 || !frame.hasAttribute("sandbox") || !framed++) return;
      asked += 1;
      shownTimestamp = null;
      document.title = "Unknown page · Lastlight";
      element("copy").textContent = "Unknown page";
      element("when").textContent = "– it doesn't tell its address";
      element("place").textContent = "";
      for (const id of ["previous", "next", "details", "raw"]) linkTo(id, null);
    }, 1000);
  });

  // The address's fragment is the archived page's, so no jump may take it.
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    frame.focus();
  });

  const showUrls = (id, urls, more, words) => {
    const box = element(id);
    box.hidden = urls.length === 0;
    const plus = more ? "+" : "";
    box.querySelector("summary").textContent = `${urls.length}${plus} ${words}`;
    const here = withoutFragment(current);
    const rows = urls.toReversed().map((missing) => {
      const row = document.createElement("li");
      const link = document.createElement("a");
      const url = archived(missing.url);
      link.textContent = String(missing.url);
      if (url) link.href = `/c/${collection}/captures?url=${encodeURIComponent(url)}`;
      const about = [missing.kind, missing.rules].filter((text) => typeof text === "string");
      row.append(link, about.length ? ` (${about.join("; ")})` : "");
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
      const { urls, more, near } = JSON.parse(text);
      if (Array.isArray(urls)) showUrls("missing", urls, more, "missing");
      if (near && Array.isArray(near.urls)) showUrls("near", near.urls, near.more, "near");
    } catch {
      // The server has gone; the banner keeps what it knows.
    }
  }

  // When the parts of the page were captured, beside the page itself.
  async function tellTimes() {
    const page = withoutFragment(current);
    try {
      const response = await fetch(`/-/times/${collection}/${time}?page=${encodeURIComponent(page)}`);
      if (!response.ok) return;
      const told = await response.json();
      if (page !== withoutFragment(current)) return;
      element("times").textContent = told.text || "";
      element("times").title = told.text ? told.detail : "";
    } catch {
      // As above.
    }
  }

  // Often while a page loads, seldom after.
  let polls = 0;
  const poll = () => {
    if (!document.hidden) {
      countMissing();
      tellTimes();
    }
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
