  // ---- Whose the page is: domain, referrer, cookies, messages -------------

  // Frames that the page doesn't know of are around it.
  const framed = window.parent !== window;
  const realParent = window.parent;
  const top = framed && window.parent === window.top;

  const host = new URL(archivedOrigin).hostname;
  const isWithin = (domain) => host === domain || host.endsWith("." + domain);
  let domain = host;
  wrapProperty(Document.prototype, "domain", () => ({
    get() { return domain; },
    set(value) {
      if (!isWithin(String(value).toLowerCase())) {
        throw new DOMException(`'${value}' is not a suffix of '${host}'.`, "SecurityError");
      }
      domain = String(value).toLowerCase();
    },
  }));
  // Browsers tell other origins no more than an origin, and nothing of https to http.
  wrapGetter(window.Document, "referrer", (address) => {
    const url = unmap(address);
    if (!address || originOf(address) === shell || url === address && !paths) return "";
    const origin = originOf(url);
    if (origin === archivedOrigin) return url;
    return origin.startsWith("https:") && archivedOrigin.startsWith("http:") ? "" : origin + "/";
  });

  // No cookie is for a parent domain, where all archived sites and the
  // interface would get it, nor are more set than a server takes back. One that
  // was to outlive the capture lives for the session: its date is past.
  const MAX_COOKIES = 8192;
  const cookieFor = (value) => {
    const kept = [];
    for (const part of String(value).split(";")) {
      const [, name, text = ""] = /^\s*([^=]*?)\s*(?:=\s*(.*?)\s*)?$/.exec(part) || [];
      const kind = kept.length ? name.toLowerCase() : "";
      if (kind === "domain") {
        if (text && !isWithin(text.replace(/^\./, "").toLowerCase())) return null;
      } else if (kind !== "expires" || !(Date.parse(text) > now())) {
        kept.push(part);
      }
    }
    return kept.join(";");
  };
  const wrapCookie = (realm) => {
    wrapProperty(realm.Document.prototype, "cookie", ({ get, set }) => ({
      set(value) {
        const own = cookieFor(value);
        if (own === null) return;
        const size = get.call(this).length + own.length;
        const deletes = /;\s*(expires|max-age)\s*=/i.test(own) && own.length < 512;
        if (size <= MAX_COOKIES || deletes) set.call(this, own);
      },
    }));
    if (realm.CookieStore) {
      delete realm.cookieStore;
      delete realm.CookieStore;
    }
  };
  wrapCookie(window);
  const UNSENT = ["PresentationRequest"];
  for (const name of UNSENT) delete window[name];

  // Messages for an archived origin go to its replay. In path mode pages have
  // no origin by which one could be meant.
  const target = (origin) => {
    if (typeof origin !== "string" || !origin.includes("//")) return origin;
    return paths ? "*" : originOf(map(origin));
  };
  const post = (original, to) => function (message, options, ...rest) {
    const mapped = options && options.targetOrigin !== undefined
      ? { ...options, targetOrigin: target(options.targetOrigin) } : target(options);
    return mapped === undefined ? original.call(to, message) : original.call(to, message, mapped, ...rest);
  };
  wrap(window, "postMessage", (original) => post(original, window));
  // Windows of other origins can't be changed; scripts get another thing in
  // their place, one for each.
  const windows = new WeakMap();
  const windowOf = (view) => {
    if (typeof view !== "object" || view === null || view === window) return view;
    if (windows.has(view)) return isForeign(view) ? windows.get(view) : view;
    if (!isForeign(view)) return view;
    const stand = new Proxy({}, {
      get(_, name) {
        const value = view[name];
        if (name === "postMessage") return post(value, view);
        if (name === "parent" || name === "top" || name === "window" || name === "self") return windowOf(value);
        return typeof value === "function" ? value.bind(view) : value;
      },
      set(_, name, value) {
        if (name === "location") value = map(value);
        view[name] = value;
        return true;
      },
      has: (_, name) => name in view,
      getPrototypeOf: () => null,
    });
    windows.set(view, stand);
    return stand;
  };
  const isForeign = (view) => {
    try {
      return view.postMessage !== undefined && view.document === undefined;
    } catch {
      return true;
    }
  };
  wrapGetter(window.MessageEvent, "origin", (origin) => /^https?:/.test(origin) ? originOf(reads(origin + "/")) : origin);
  wrapGetter(window.MessageEvent, "source", (source) => source instanceof MessagePort ? source : windowOf(source));
  // The shell isn't there for the page.
  if (framed) {
    const parent = top ? window : windowOf(realParent);
    Object.defineProperty(window, "parent", { get: () => parent, set() {}, configurable: true, enumerable: true });
  }

