  // ---- Frames without a runtime of their own -----------------------------

  // Empty frames get no script of ours, and their windows are within reach of
  // this page: what was taken from it is taken from them, before it sees them.
  const locked = new WeakSet();
  const lock = (realm) => {
    try {
      if (!realm || !realm.document || locked.has(realm.document)) return;
      locked.add(realm.document);
      for (const name of UNSENT) delete realm[name];
      for (const [name, type] of Object.entries(PEERS)) if (realm[name]) realm[name] = type;
      delete realm.Navigator.prototype.serviceWorker;
      wrapCookie(realm);
      wrapWrite(realm);
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
            if (!value) return value;
            const view = name === "contentWindow" ? value : value.defaultView;
            lock(view);
            return view === value ? windowOf(value) : value;
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
    const text = getAttribute.call(frame, "srcdoc");
    if (text !== null && withRuntime(text) !== text) setAttribute.call(frame, "srcdoc", text);
  }
  function withRuntime(text) {
    const doctype = /^\s*<!doctype[^>]*>/i.exec(text);
    const at = doctype ? doctype[0].length : 0;
    return text.startsWith(STARTER, at) ? text : text.slice(0, at) + STARTER + text.slice(at);
  }
  guardFrames(window);

