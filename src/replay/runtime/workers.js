  // ---- Workers -----------------------------------------------------------

  // A worker begins with a script of ours that loads this one, and then its own,
  // whose bytes, base and strictness so stay as they were.
  const held = new Set();
  const HOLD = 60000;
  const revoke = URL.revokeObjectURL;
  wrap(URL, "revokeObjectURL", (original) => function (url) {
    // The browser takes a worker's script at once; ours takes it a little later.
    if (held.has(String(url))) setTimeout(() => original.call(URL, url), HOLD);
    else original.call(URL, url);
  });
  let started = 0;
  const starting = (name, script, options) => {
    const address = new URL(map(script), base()).href;
    const url = unmap(address);
    const isHttp = /^https?:/.test(address);
    // Only scripts of the page's own origin may be workers: the browser says so.
    if (isHttp && originOf(url) !== archivedOrigin) return paths ? url : address;
    const worker = { url, address, origin: archivedOrigin, time: captured, path: paths, script: own.href };
    if (name === "Worker") worker.rank = `${rank}w${started++}`;
    const isModule = typeof options === "object" && options !== null && options.type === "module";
    const json = JSON.stringify(worker);
    // Documents share one by its address.
    if (name === "SharedWorker" && isHttp && !isModule && !paths) {
      return `${own.origin}/.lastlight/worker.js?${encodeURIComponent(json)}`;
    }
    if (address.startsWith("blob:")) {
      held.add(address);
      setTimeout(() => held.delete(address), HOLD);
    }
    const text = JSON.stringify;
    const first = `data:text/javascript,${encodeURIComponent(`self.lastlight=${json}`)}`;
    const code = isModule
      ? [first, own.href, address].map((url) => `import ${text(url)};`).join("\n")
      : `self.lastlight=${json};\nimportScripts(${text(own.href)});\nimportScripts(${text(address)});`;
    const starter = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    setTimeout(() => revoke.call(URL, starter), HOLD);
    return starter;
  };
  for (const name of ["Worker", "SharedWorker"]) {
    wrapConstructor(name, (args) =>
      args.length ? [starting(name, args[0], args[1]), ...args.slice(1)] : args);
  }
  wrap(self.Worklet && Worklet.prototype, "addModule", (original) => function (url, ...rest) {
    return original.call(this, map(url), ...rest);
  });
  if (isWorker) {
    wrap(self, "importScripts", (original) => (...urls) => original.apply(self, urls.map(map)));
    const parts = new URL(archived);
    const location = Object.create(self.WorkerLocation.prototype);
    for (const name of ["href", "origin", "protocol", "host", "hostname", "port", "pathname", "search", "hash"]) {
      Object.defineProperty(location, name, { value: parts[name], enumerable: true });
    }
    Object.defineProperty(location, "toString", { value: () => parts.href });
    Object.defineProperty(self, "location", { value: location, configurable: true, enumerable: true });
    if (!paths) Object.defineProperty(self, "origin", { value: archivedOrigin, configurable: true, enumerable: true });
  }

