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
    if (url.protocol !== "http:" && url.protocol !== "https:") return text;
    if (paths) {
      if (url.origin === own.origin) return text;
      url.username = url.password = "";
      return paths + "mp_/" + url.href;
    }
    // A worker's own script has another base than the browser thinks.
    if (url.host.endsWith(visit) || url.origin === shell) return isWorker ? url.href : text;
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
    if (url.protocol !== "http:" && url.protocol !== "https:") return url.href;
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

  // As scripts read an address: other origins are the archived ones. Its own is
  // the one that `location` tells, as scripts compare the two and `location`
  // can't be changed; in a worker it can.
  const reads = (address) => {
    if (typeof address !== "string" || !/^https?:/.test(address)) return address;
    const original = unmap(address);
    return isWorker || !isOwn(original) ? original : address;
  };
  const isOwn = (original) => original === archivedOrigin || original.startsWith(archivedOrigin + "/");
  const originOf = (address) => {
    try {
      return new URL(address).origin;
    } catch {
      return address;
    }
  };

  const mapSet = (value) =>
    String(value).replace(/(^|,\s+|,(?=https?:|\/\/)|^\s+)((?:https?:)?\/\/[^\s,]\S*)/g,
      (_, before, url) => before + map(url));
  const mapCss = (value) =>
    String(value).replace(/(url\(\s*["']?|@import\s+["'])((?:https?:)?\/\/[^"')\s]+)/gi,
      (_, before, url) => before + map(url));

