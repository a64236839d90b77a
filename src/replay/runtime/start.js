// Replay's part in an archived page or worker. Runs before anything of it and
// sends the addresses that scripts build to archived origins, gives them the
// time of the capture, and tells the shell what is shown. It keeps nothing in:
// the Content-Security-Policy does that, and this only makes things work.
// The files of this folder are one script, one after the other.
(() => {
  "use strict";
  const isWorker = typeof document === "undefined";
  // `url`: what is archived; `time`: when it was captured; `path`, in path mode:
  // where the captures of this visit are, such as
  // http://127.0.0.1:8080/demo/20260322101500; `script`: where this script is.
  // For a worker also `address`, where its script is, its page's `origin`, and `rank`.
  let told;
  if (isWorker) {
    told = self.lastlight;
    delete self.lastlight;
  } else {
    const script = document.currentScript;
    if (!script || !script.dataset.url) return;
    told = { ...script.dataset, script: script.src };
    script.remove();
  }
  // A document that is written within another may name it twice.
  const RAN = Symbol.for("lastlight");
  const place = isWorker ? self : document;
  if (!told || place[RAN]) return;
  Object.defineProperty(place, RAN, { value: true });

  const { url: archived, time: captured, path: paths } = told;
  const own = new URL(told.script);
  // Everything after the first label: time, collection, our domain and port.
  const visit = own.host.slice(own.host.indexOf("."));
  const shell = paths ? own.origin : "http://lastlight.localhost" + (own.port ? ":" + own.port : "");
  const archivedOrigin = told.origin || new URL(archived).origin;
  // Which one of the visit's frames and workers it is: the number of each frame
  // within its parent, from the shell's on, and of a worker among those of its maker.
  const rankOf = (frame) => {
    if (frame === frame.parent) return "";
    let number = 0;
    while (number < frame.parent.length && frame.parent[number] !== frame) number += 1;
    return `${rankOf(frame.parent)}f${number}`;
  };
  const rank = isWorker ? told.rank || "" : rankOf(self);
  const base = () => {
    if (isWorker) return told.address;
    return document.baseURI.startsWith("http") ? document.baseURI : own.origin;
  };
  // What a relative reference is relative to: in path mode the archived URL.
  const referenceBase = () => paths ? unmap(base()) : base();

