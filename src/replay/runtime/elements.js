  // ---- Elements ----------------------------------------------------------

  wrapConstructor("Audio", (args) => args.length ? [map(args[0]), ...args.slice(1)] : args);
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
    for (const property of properties) {
      wrapSetter(window[name], property, (v) => map(trusted(v)));
      wrapGetter(window[name], property, reads);
    }
  }
  for (const name of ["HTMLImageElement", "HTMLMediaElement"]) wrapGetter(window[name], "currentSrc", reads);
  wrapGetter(window.StyleSheet, "href", reads);
  // The parts of a link are those of the address that it reads as.
  const PARTS = ["origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];
  for (const owner of [window.HTMLAnchorElement, window.HTMLAreaElement]) {
    const { get, set } = Object.getOwnPropertyDescriptor(owner.prototype, "href");
    for (const name of PARTS) {
      wrapProperty(owner.prototype, name, (property) => ({
        get() {
          const href = get.call(this);
          return /^https?:/.test(href) ? new URL(href)[name] : property.get.call(this);
        },
        set: property.set && function (value) {
          const href = get.call(this);
          if (!/^https?:/.test(href)) return property.set.call(this, value);
          const url = new URL(unmap(href));
          url[name] = value;
          return set.call(this, url.href);
        },
      }));
    }
    wrap(owner.prototype, "toString", () => function () { return get.call(this); });
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
    // Relative ones lead right by themselves, and may be no URLs: `#tab`, a custom element's words.
    return URLS.has(name) && /^\s*([a-z][a-z0-9+.-]*:|\/)/i.test(String(value)) ? map(value) : value;
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
  const getAttribute = Element.prototype.getAttribute;
  wrap(Element.prototype, "getAttribute", (original) => function (name) {
    const value = original.call(this, name);
    return value !== null && value.includes("//") && URLS.has(String(name).toLowerCase()) ? reads(value) : value;
  });
  const mapElement = (element) => {
    for (const name of ATTRIBUTES) {
      const value = getAttribute.call(element, name);
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
  wrapProperty(Node.prototype, "textContent", ({ set }) => ({
    set(value) { set.call(this, this.localName === "style" ? mapCss(value) : value); },
  }));
  const PICTURED = ["background", "backgroundImage", "borderImage", "borderImageSource", "content", "cssText", "cursor",
    "filter", "listStyle", "listStyleImage", "mask", "maskImage", "webkitMaskImage"];
  const cssOrNothing = (value) => typeof value === "string" ? mapCss(value) : value;
  for (const owner of [window.CSSStyleDeclaration, window.CSSStyleProperties]) {
    for (const name of PICTURED) wrapSetter(owner, name, cssOrNothing);
    wrap(owner && Object.hasOwn(owner.prototype, "setProperty") ? owner.prototype : null, "setProperty", (original) =>
      function (name, value, ...rest) { return original.call(this, name, cssOrNothing(value), ...rest); });
  }
  if (window.CSSStyleSheet) {
    for (const name of ["insertRule", "replace", "replaceSync"]) {
      wrap(CSSStyleSheet.prototype, name, (original) => function (text, ...rest) {
        return original.call(this, mapCss(text), ...rest);
      });
    }
  }
  // What is written comes in pieces that are no markup of their own.
  const mapWritten = (text) => text.replace(/(<[a-z][^>]*?\s(?:src|href|action|data|poster|background)\s*=\s*["']?)((?:https?:)?\/\/[^"'\s>]+)/gi,
    (_, before, url) => before + map(url.replace(/&amp;/g, "&")).replace(/&/g, "&amp;"));
  const wrapWrite = (realm) => {
    for (const name of ["write", "writeln"]) {
      wrap(realm.Document.prototype, name, (original) => function (...texts) {
        return original.apply(this, texts.map((text) => mapWritten(String(text))));
      });
    }
  };
  wrapWrite(window);
  // What came in another way: style properties, clones.
  new MutationObserver((mutations) => {
    for (const { type, target, addedNodes } of mutations) {
      if (type === "attributes") mapElement(target);
      for (const node of addedNodes) if (node.nodeType === 1) mapTree(node);
    }
  }).observe(document, {
    subtree: true, childList: true, attributes: true, attributeFilter: ATTRIBUTES,
  });

