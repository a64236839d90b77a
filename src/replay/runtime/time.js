  // ---- Time and chance ---------------------------------------------------

  const digits = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(captured);
  const realNow = Date.now;
  const [year, month, ...rest] = digits ? digits.slice(1).map(Number) : [];
  const behind = digits ? realNow() - Date.UTC(year, month - 1, ...rest) : 0;
  const now = () => realNow() - behind;
  if (digits) {
    const RealDate = Date;
    wrap(RealDate, "now", () => () => now());
    const ArchivedDate = new Proxy(RealDate, {
      construct: (target, args, as) => Reflect.construct(target, args.length ? args : [now()], as),
      apply: () => new RealDate(now()).toString(),
    });
    replaceClass("Date", ArchivedDate);
    const { DateTimeFormat } = Intl;
    const formats = new WeakMap();
    wrapProperty(DateTimeFormat.prototype, "format", ({ get }) => ({
      get() {
        const format = get.call(this);
        if (!formats.has(this)) {
          formats.set(this, likeNative((date) => format(date === undefined ? now() : date), format));
        }
        return formats.get(this);
      },
    }));
    wrap(DateTimeFormat.prototype, "formatToParts", (original) => function (date) {
      return original.call(this, date === undefined ? now() : date);
    });
    if (self.Temporal) {
      const { Now, Instant } = self.Temporal;
      const instant = () => Instant.fromEpochMilliseconds(now());
      const zoned = (zone) => instant().toZonedDateTimeISO(zone === undefined ? Now.timeZoneId() : zone);
      wrap(Now, "instant", () => () => instant());
      wrap(Now, "zonedDateTimeISO", () => (zone) => zoned(zone));
      wrap(Now, "plainDateTimeISO", () => (zone) => zoned(zone).toPlainDateTime());
      wrap(Now, "plainDateISO", () => (zone) => zoned(zone).toPlainDate());
      wrap(Now, "plainTimeISO", () => (zone) => zoned(zone).toPlainTime());
    }
    const earlier = (time) => time ? time - behind : time;
    wrapGetter(self.Performance, "timeOrigin", earlier);
    for (const name of Object.keys(self.PerformanceTiming ? PerformanceTiming.prototype : {})) {
      if (name !== "toJSON") wrapGetter(PerformanceTiming, name, earlier);
    }
    wrapConstructor("File", (args) => args.length < 2 || (args[2] && args[2].lastModified !== undefined)
      ? args : [args[0], args[1], { ...args[2], lastModified: now() }]);
  }
  // The same numbers on every visit, so that URLs made of them are found. Those
  // of `crypto` are a row of their own.
  const row = (seeds) => {
    let seed = 2166136261;
    for (const c of seeds) seed = Math.imul(seed ^ c.charCodeAt(0), 16777619);
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (t ^ (t >>> 14)) >>> 0;
    };
  };
  // Each frame and worker of a page has its own.
  const numbers = row(captured + archived + rank);
  wrap(Math, "random", () => () => numbers() / 4294967296);
  const secrets = row("crypto" + captured + archived + rank);
  const fill = (bytes) => {
    for (let i = 0; i < bytes.length; i += 1) bytes[i] = secrets() >>> 24;
    return bytes;
  };
  wrap(self.Crypto && Crypto.prototype, "getRandomValues", (original) => function (array) {
    // It says what is wrong, if anything is.
    original.call(this, array);
    fill(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    return array;
  });
  wrap(self.Crypto && Crypto.prototype, "randomUUID", () => function () {
    const bytes = fill(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  });
  if (isWorker) return;

