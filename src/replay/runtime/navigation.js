  // ---- Navigation, and what the shell is told ----------------------------

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
