// Replay's part in an archived page. Runs before anything of the page and
// sends the addresses that its scripts build to archived origins, gives them
// the time of the capture, and tells the shell what is shown. It keeps nothing
// in: the Content-Security-Policy does that, and this only makes things work.
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script || !script.dataset.url) return;
  // `path` is set in path mode: where the captures of this visit are, such as
  // http://127.0.0.1:8080/demo/20260322101500.
  const { url: archived, time: captured, path: paths } = script.dataset;
  script.remove();
  // A document that is written within another may name it twice.
  const RAN = Symbol.for("lastlight");
  if (document[RAN]) return;
  Object.defineProperty(document, RAN, { value: true });

  const own = new URL(script.src);
  // Everything after the first label: time, collection, our domain and port.
  const visit = own.host.slice(own.host.indexOf("."));
  const shell = paths ? own.origin : "http://lastlight.localhost" + (own.port ? ":" + own.port : "");
  const archivedOrigin = new URL(archived).origin;
  const base = () => document.baseURI.startsWith("http") ? document.baseURI : own.origin;
  // What a relative reference is relative to: in path mode the archived URL.
  const referenceBase = () => paths ? unmap(base()) : base();

  // ---- Addresses ---------------------------------------------------------

  const label = (url) => {
    const name = url.hostname;
    if (!/^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$/.test(name) || /-\.|\.-/.test(name)) return null;
    const start = (url.protocol === "https:" ? "s" : "h") + url.port + "-";
    const whole = start + name.replace(/-/g, "--").replace(/\./g, "-");
    return whole.length <= 63 ? whole : null;
  };

  // The address at which a URL is replayed; relative ones, and what isn't
  // http or https, stay as they are.
  const map = (value) => {
    const text = String(value);
    let url;
    try {
      url = new URL(text, referenceBase());
    } catch {
      return text;
    }
    if (url.protocol === "ws:" || url.protocol === "wss:") return text;
    if (url.protocol !== "http:" && url.protocol !== "https:") return text;
    if (paths) {
      if (url.origin === own.origin) return text;
      url.username = url.password = "";
      return paths + "mp_/" + url.href;
    }
    if (url.host.endsWith(visit) || url.origin === shell) return text;
    const name = label(url);
    url.username = url.password = "";
    return name === null
      ? own.origin + "/.lastlight/to/" + url.href
      : "http://" + name + visit + url.pathname + url.search + url.hash;
  };

  // The archived URL of an address of ours.
  const unmap = (value) => {
    let url;
    try {
      url = new URL(value, base());
    } catch {
      return String(value);
    }
    const rest = url.pathname + url.search + url.hash;
    if (paths) {
      if (!url.href.startsWith(paths)) return url.origin === own.origin ? archivedOrigin + rest : url.href;
      return url.href.slice(paths.length).replace(/^(mp|if|js|cs|im|id)_\//, "");
    }
    if (url.origin === own.origin) return archivedOrigin + rest;
    if (!url.host.endsWith(visit)) return url.href;
    const [, scheme, port, name] = /^([sh])(\d*)-(.*)$/.exec(url.host.slice(0, -visit.length)) || [];
    if (!name) return url.href;
    const host = name.replace(/--|-/g, (hyphens) => (hyphens === "--" ? "-" : "."));
    return (scheme === "s" ? "https://" : "http://") + host + (port && ":" + port) + rest;
  };

  const mapSet = (value) =>
    String(value).replace(/(^|,\s+|,(?=https?:|\/\/)|^\s+)((?:https?:)?\/\/[^\s,]\S*)/g,
      (_, before, url) => before + map(url));
  const mapCss = (value) =>
    String(value).replace(/(url\(\s*["']?|@import\s+["'])((?:https?:)?\/\/[^"')\s]+)/gi,
      (_, before, url) => before + map(url));

  // ---- Ways in which scripts name a URL ----------------------------------

  const wrap = (owner, name, make) => {
    const original = owner && owner[name];
    if (typeof original !== "function") return;
    const replacement = make(original);
    Object.defineProperty(replacement, "name", { value: name, configurable: true });
    Object.defineProperty(owner, name, {
      value: replacement, writable: true, configurable: true, enumerable: false,
    });
  };
  const wrapSetter = (owner, name, change) => {
    const property = owner && Object.getOwnPropertyDescriptor(owner.prototype, name);
    if (!property || !property.set) return;
    Object.defineProperty(owner.prototype, name, {
      ...property,
      set(value) { property.set.call(this, change(value, this)); },
    });
  };
  const wrapConstructor = (name, change) => {
    const original = window[name];
    if (typeof original !== "function") return;
    window[name] = new Proxy(original, {
      construct: (target, args, as) => Reflect.construct(target, change(args), as),
    });
    window[name].prototype.constructor = window[name];
  };
  const first = (args) => args.length ? [map(args[0]), ...args.slice(1)] : args;

  wrap(window, "fetch", (original) => function (input, init) {
    const request = input instanceof Request ? input : map(input);
    return original.call(this === undefined ? window : this, request, withoutIntegrity(init));
  });
  const withoutIntegrity = (init) => init && init.integrity ? { ...init, integrity: "" } : init;
  wrapConstructor("Request", (args) =>
    args[0] instanceof Request ? args : [map(args[0]), withoutIntegrity(args[1])]);
  wrap(XMLHttpRequest.prototype, "open", (original) => function (method, url, ...rest) {
    return original.call(this, method, map(url), ...rest);
  });
  for (const name of ["Worker", "SharedWorker", "Audio"]) wrapConstructor(name, first);
  wrapConstructor("FontFace", ([family, source, ...rest]) =>
    [family, typeof source === "string" ? mapCss(source) : source, ...rest]);

  const PLAIN = {
    HTMLAnchorElement: ["href"], HTMLAreaElement: ["href"], HTMLBaseElement: ["href"],
    HTMLButtonElement: ["formAction"], HTMLEmbedElement: ["src"], HTMLFormElement: ["action"],
    HTMLFrameElement: ["src"], HTMLIFrameElement: ["src"], HTMLImageElement: ["src"],
    HTMLInputElement: ["src", "formAction"], HTMLLinkElement: ["href"],
    HTMLMediaElement: ["src"], HTMLObjectElement: ["data"], HTMLScriptElement: ["src"],
    HTMLSourceElement: ["src"], HTMLTrackElement: ["src"], HTMLVideoElement: ["poster"],
  };
  const trusted = (value) => typeof value === "object" && value !== null ? String(value) : value;
  for (const [name, properties] of Object.entries(PLAIN)) {
    for (const property of properties) wrapSetter(window[name], property, (v) => map(trusted(v)));
  }
  for (const name of ["HTMLImageElement", "HTMLSourceElement"]) {
    wrapSetter(window[name], "srcset", mapSet);
  }
  wrapSetter(window.HTMLLinkElement, "imageSrcset", mapSet);
  // Bytes change where URLs in them are mapped, so no digest fits.
  for (const name of ["HTMLLinkElement", "HTMLScriptElement"]) {
    wrapSetter(window[name], "integrity", () => "");
  }

  const URLS = new Set(["action", "background", "cite", "data", "formaction", "href", "poster",
    "src", "xlink:href"]);
  const mapAttribute = (name, value) => {
    name = String(name).toLowerCase();
    if (name === "srcset" || name === "imagesrcset") return mapSet(value);
    if (name === "style") return mapCss(value);
    if (name === "integrity") return "";
    if (name === "srcdoc") return withRuntime(String(mapMarkup(value)));
    return URLS.has(name) ? map(value) : value;
  };
  wrap(Element.prototype, "setAttribute", (original) => function (name, value) {
    return original.call(this, name, mapAttribute(name, value));
  });
  wrap(Element.prototype, "setAttributeNS", (original) => function (space, name, value) {
    return original.call(this, space, name, mapAttribute(name, value));
  });

  // Markup is mapped in an inert template, so that nothing loads before.
  const ATTRIBUTES = [...URLS].filter((name) => name !== "xlink:href")
    .concat("srcset", "imagesrcset", "style");
  const SELECTOR = ATTRIBUTES.map((name) => `[${name}]`).join();
  const setAttribute = Element.prototype.setAttribute;
  const mapElement = (element) => {
    for (const name of ATTRIBUTES) {
      const value = element.getAttribute(name);
      if (value === null || !value.includes("//")) continue;
      const mapped = mapAttribute(name, value);
      if (mapped !== value) setAttribute.call(element, name, mapped);
    }
    if (element.localName === "style" && element.textContent.includes("//")) {
      const mapped = mapCss(element.textContent);
      if (mapped !== element.textContent) element.textContent = mapped;
    }
  };
  const mapTree = (root) => {
    if (root.nodeType === 1) mapElement(root);
    for (const element of root.querySelectorAll(SELECTOR + ",style")) mapElement(element);
  };
  const innerHTML = Object.getOwnPropertyDescriptor(Element.prototype, "innerHTML");
  const mapMarkup = (value) => {
    const text = String(value);
    if (!text.includes("//")) return value;
    const template = document.createElement("template");
    innerHTML.set.call(template, text);
    mapTree(template.content);
    return innerHTML.get.call(template);
  };
  wrapSetter(Element, "innerHTML", mapMarkup);
  wrapSetter(Element, "outerHTML", mapMarkup);
  wrapSetter(window.ShadowRoot, "innerHTML", mapMarkup);
  wrap(Element.prototype, "insertAdjacentHTML", (original) => function (where, text) {
    return original.call(this, where, mapMarkup(text));
  });
  wrapSetter(window.HTMLIFrameElement, "srcdoc", (value) => withRuntime(String(mapMarkup(value))));
  if (window.CSSStyleSheet) {
    for (const name of ["insertRule", "replace", "replaceSync"]) {
      wrap(CSSStyleSheet.prototype, name, (original) => function (text, ...rest) {
        return original.call(this, mapCss(text), ...rest);
      });
    }
  }
  // What came in another way: document.write, style properties, clones.
  new MutationObserver((mutations) => {
    for (const { type, target, addedNodes } of mutations) {
      if (type === "attributes") mapElement(target);
      for (const node of addedNodes) if (node.nodeType === 1) mapTree(node);
    }
  }).observe(document, {
    subtree: true, childList: true, attributes: true, attributeFilter: ATTRIBUTES,
  });

  // ---- What would reach the network another way --------------------------

  const UNSENT = ["RTCPeerConnection", "webkitRTCPeerConnection", "RTCDataChannel",
    "WebTransport", "PushManager", "PresentationRequest"];
  for (const name of UNSENT) delete window[name];
  delete Navigator.prototype.serviceWorker;
  wrap(Navigator.prototype, "sendBeacon", () => function sendBeacon() { return true; });
  const inert = (name, states, close) => {
    if (!window[name]) return;
    window[name] = class extends EventTarget {
      constructor(url) {
        super();
        Object.assign(this, { url: String(url), readyState: 0 });
        setTimeout(() => {
          this.readyState = states.CLOSED;
          for (const type of close) {
            const event = new Event(type);
            this.dispatchEvent(event);
            if (typeof this["on" + type] === "function") this["on" + type](event);
          }
        });
      }
      send() {}
      close() {}
    };
    Object.assign(window[name], states);
    Object.assign(window[name].prototype, states);
    Object.defineProperty(window[name], "name", { value: name });
  };
  inert("WebSocket", { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 }, ["error", "close"]);
  inert("EventSource", { CONNECTING: 0, OPEN: 1, CLOSED: 2 }, ["error"]);
  if (window.Notification) {
    window.Notification = class extends EventTarget {
      static permission = "denied";
      static requestPermission = () => Promise.resolve("denied");
      close() {}
    };
  }

  // ---- Cookies, messages -------------------------------------------------

  // No cookie is for a parent domain, where all archived sites and the
  // interface would get it, nor are more set than a server takes back.
  const MAX_COOKIES = 8192;
  const wrapCookie = (realm) => {
    const property = Object.getOwnPropertyDescriptor(realm.Document.prototype, "cookie");
    if (!property || !property.set) return;
    Object.defineProperty(realm.Document.prototype, "cookie", {
      ...property,
      set(value) {
        const parts = String(value).split(";");
        const own = parts.filter((part) => !/^\s*domain\s*(=|$)/i.test(part)).join(";");
        const size = property.get.call(this).length + own.length;
        const deletes = /;\s*(expires|max-age)\s*=/i.test(own) && own.length < 512;
        if (size <= MAX_COOKIES || deletes) property.set.call(this, own);
      },
    });
    if (realm.CookieStore) {
      delete realm.cookieStore;
      delete realm.CookieStore;
    }
  };
  wrapCookie(window);
  wrap(window, "postMessage", (original) => function (message, target, ...rest) {
    const origin = typeof target === "string" && target.includes("//") ? new URL(map(target)).origin
      : target && target.targetOrigin && target.targetOrigin.includes("//")
        ? { ...target, targetOrigin: new URL(map(target.targetOrigin)).origin } : target;
    return origin === undefined ? original.call(this || window, message)
      : original.call(this || window, message, origin, ...rest);
  });

  // ---- Frames without a runtime of their own -----------------------------

  // Empty frames get no script of ours, and their windows are within reach of
  // this page: what was taken from it is taken from them, before it sees them.
  const locked = new WeakSet();
  const lock = (realm) => {
    try {
      if (!realm || !realm.document || locked.has(realm.document)) return;
      locked.add(realm.document);
      for (const name of UNSENT) delete realm[name];
      wrapCookie(realm);
      guardFrames(realm);
    } catch {
      // Another origin, with a runtime of its own.
    }
  };
  const lockAll = (realm) => {
    for (let i = 0; i < realm.length; i += 1) lock(realm[i]);
  };
  function guardFrames(realm) {
    const after = (owner, name) => wrap(owner && owner.prototype, name, (original) =>
      function (...args) {
        try {
          return original.apply(this, args);
        } finally {
          lockAll(realm);
        }
      });
    for (const name of ["appendChild", "insertBefore", "replaceChild"]) after(realm.Node, name);
    for (const name of ["append", "prepend", "replaceChildren"]) {
      for (const owner of ["Element", "Document", "DocumentFragment"]) after(realm[owner], name);
    }
    for (const owner of ["Element", "CharacterData"]) {
      for (const name of ["before", "after", "replaceWith"]) after(realm[owner], name);
    }
    for (const name of ["insertAdjacentHTML", "insertAdjacentElement", "setHTMLUnsafe"]) {
      after(realm.Element, name);
    }
    for (const name of ["write", "writeln"]) after(realm.Document, name);
    after(realm.Range, "insertNode");
    const setter = (owner, name) => {
      const property = owner && Object.getOwnPropertyDescriptor(owner.prototype, name);
      if (!property || !property.set) return;
      Object.defineProperty(owner.prototype, name, {
        ...property,
        set(value) {
          property.set.call(this, value);
          lockAll(realm);
        },
      });
    };
    for (const name of ["innerHTML", "outerHTML"]) setter(realm.Element, name);
    for (const owner of ["HTMLIFrameElement", "HTMLFrameElement", "HTMLObjectElement"]) {
      for (const name of ["contentWindow", "contentDocument"]) {
        const property = realm[owner] && Object.getOwnPropertyDescriptor(realm[owner].prototype, name);
        if (!property || !property.get) continue;
        Object.defineProperty(realm[owner].prototype, name, {
          ...property,
          get() {
            const value = property.get.call(this);
            if (value) lock(name === "contentWindow" ? value : value.defaultView);
            return value;
          },
        });
      }
    }
    // A document that replaces the empty one, and frames of the parser.
    realm.document.addEventListener("load", () => lockAll(realm), true);
    new realm.MutationObserver((mutations) => {
      lockAll(realm);
      for (const { type, target, addedNodes } of mutations) {
        if (type === "attributes") giveRuntime(target);
        for (const node of addedNodes) {
          if (node.nodeType !== 1) continue;
          giveRuntime(node);
          for (const frame of node.querySelectorAll("iframe[srcdoc]")) giveRuntime(frame);
        }
      }
    }).observe(realm.document, {
      subtree: true, childList: true, attributes: true, attributeFilter: ["srcdoc"],
    });
  }
  // A frame whose document is written in an attribute runs scripts of its own.
  const STARTER = `<script src="${own.href}" data-url="${archived.replace(/&/g, "&amp;")
    .replace(/"/g, "%22")}" data-time="${captured}"${paths ? ` data-path="${paths}"` : ""}><\/script>`;
  function giveRuntime(frame) {
    if (frame.localName !== "iframe") return;
    const text = frame.getAttribute("srcdoc");
    if (text !== null && withRuntime(text) !== text) setAttribute.call(frame, "srcdoc", text);
  }
  function withRuntime(text) {
    const doctype = /^\s*<!doctype[^>]*>/i.exec(text);
    const at = doctype ? doctype[0].length : 0;
    return text.startsWith(STARTER, at) ? text : text.slice(0, at) + STARTER + text.slice(at);
  }
  guardFrames(window);

  // ---- Time and chance ---------------------------------------------------

  const digits = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(captured);
  if (digits) {
    const [year, month, ...rest] = digits.slice(1).map(Number);
    const RealDate = Date;
    const realNow = Date.now;
    const behind = realNow() - Date.UTC(year, month - 1, ...rest);
    const now = () => realNow() - behind;
    RealDate.now = now;
    const ArchivedDate = new Proxy(RealDate, {
      construct: (target, args, as) => Reflect.construct(target, args.length ? args : [now()], as),
      apply: () => new RealDate(now()).toString(),
    });
    RealDate.prototype.constructor = ArchivedDate;
    window.Date = ArchivedDate;
  }
  // The same numbers on every visit, so that URLs made of them are found.
  let seed = 2166136261;
  for (const c of captured + archived) seed = Math.imul(seed ^ c.charCodeAt(0), 16777619);
  Math.random = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };

  // ---- Navigation, and what the shell is told ----------------------------

  const framed = window.parent !== window;
  const top = framed && window.parent === window.top;
  const tell = (message) => {
    if (framed) window.top.postMessage(message, shell);
  };
  const page = () => {
    if (!top || (own.origin !== location.origin && !paths)) return;
    tell({ lastlight: "page", url: unmap(location.href), timestamp: captured, title: document.title });
  };
  const open = (value) => tell({ lastlight: "open", url: unmap(new URL(map(value), base()).href) });

  window.open = (value) => {
    if (value !== undefined && value !== "" && !/^(about|javascript|data|blob):/i.test(value)) open(value);
    return null;
  };
  // A link for another window has none to go to in a sandboxed frame.
  addEventListener("click", (event) => {
    const link = event.composedPath().find((node) => node.localName === "a" || node.localName === "area");
    if (event.defaultPrevented || !link || !link.href || typeof link.href !== "string") return;
    if (!/^https?:/.test(link.href)) return;
    const target = (link.target || document.querySelector("base[target]")?.target || "").toLowerCase();
    const stays = target === "" || target === "_self" || (target === "_parent" && !top && framed) ||
      (target[0] !== "_" && document.getElementsByName(link.target).length > 0);
    if (stays && !link.hasAttribute("download")) return;
    event.preventDefault();
    open(link.href);
  });
  if (window.navigation) {
    navigation.addEventListener("navigate", (event) => {
      const to = event.destination.url;
      if (!/^https?:/.test(to) || !event.cancelable) return;
      const mapped = map(to);
      if (mapped === to) return;
      event.preventDefault();
      // Another navigation can't start while this one is being decided.
      setTimeout(() => {
        if (event.navigationType === "replace") location.replace(mapped);
        else location.href = mapped;
      });
    });
  }
  for (const name of ["pushState", "replaceState"]) {
    wrap(History.prototype, name, (original) => function (state, title, url) {
      try {
        if (url === undefined || url === null) original.call(this, state, title);
        else original.call(this, state, title, map(url));
      } catch (error) {
        // A page without an origin may not change its address; its state it may.
        if (!paths) throw error;
        original.call(this, state, title);
      }
      page();
    });
  }
  for (const type of ["DOMContentLoaded", "load", "hashchange", "popstate", "pageshow"]) {
    addEventListener(type, page);
  }
})();
