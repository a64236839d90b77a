  // ---- Requests ----------------------------------------------------------

  const withoutIntegrity = (init) => init && init.integrity ? { ...init, integrity: "" } : init;
  wrap(self, "fetch", (original) => function (input, init) {
    if (!arguments.length) return original.call(self);
    const request = input instanceof Request ? input : map(input);
    return original.call(this === undefined ? self : this, request, withoutIntegrity(init));
  });
  wrapConstructor("Request", (args) =>
    !args.length || args[0] instanceof Request ? args : [map(args[0]), withoutIntegrity(args[1])]);
  wrap(XMLHttpRequest.prototype, "open", (original) => function (method, url, ...rest) {
    return original.call(this, method, map(url), ...rest);
  });
  wrapGetter(self.Request, "url", reads);
  wrapGetter(self.Response, "url", reads);
  wrapGetter(XMLHttpRequest, "responseURL", reads);
  wrapGetter(self.PerformanceEntry, "name", reads);
  // Fields that would act on the replay have a longer name on their way.
  const LONGER = "x-archive-orig-";
  const orLonger = (original, missing) => function (name) {
    const value = original.call(this, name);
    return value === missing ? original.call(this, LONGER + name) : value;
  };
  wrap(Headers.prototype, "get", (original) => orLonger(original, null));
  wrap(Headers.prototype, "has", (original) => orLonger(original, false));
  wrap(XMLHttpRequest.prototype, "getResponseHeader", (original) => orLonger(original, null));
  wrap(XMLHttpRequest.prototype, "getAllResponseHeaders", (original) => function () {
    return original.call(this).replace(/^x-archive-orig-/gm, "");
  });

  // ---- What would reach the network another way --------------------------

  const emit = (target, event) => {
    target.dispatchEvent(event);
  };
  // `onerror` and its kin, called as listeners are.
  const handlers = (type, names) => {
    for (const name of names) {
      const handled = new WeakMap();
      Object.defineProperty(type.prototype, "on" + name, {
        get() { return handled.get(this) || null; },
        set(handler) {
          const known = handled.has(this);
          handled.set(this, typeof handler === "function" ? handler : null);
          if (!known) {
            this.addEventListener(name, (event) => {
              const current = handled.get(this);
              if (current) current.call(this, event);
            });
          }
        },
        configurable: true, enumerable: true,
      });
    }
  };
  const constants = (type, states) => {
    for (const owner of [type, type.prototype]) {
      for (const [name, value] of Object.entries(states)) Object.defineProperty(owner, name, { value, enumerable: true });
    }
  };
  const inert = (name, type, names, states = {}) => {
    handlers(type, names);
    constants(type, states);
    replaceClass(name, type);
  };
  const failing = (address) => {
    const url = new URL(address, referenceBase());
    if (url.protocol === "http:" || url.protocol === "https:") url.protocol = url.protocol.replace("http", "ws");
    return url;
  };

  // Sockets that never open, as without a network.
  inert("WebSocket", class WebSocket extends EventTarget {
    constructor(address) {
      super();
      let url;
      try {
        url = failing(address);
      } catch {
        throw new DOMException(`The URL '${address}' is invalid.`, "SyntaxError");
      }
      const state = { readyState: 0 };
      Object.defineProperty(this, "readyState", { get: () => state.readyState, configurable: true });
      Object.assign(this, { url: url.href, protocol: "", extensions: "", bufferedAmount: 0, binaryType: "blob" });
      this.close = () => {
        if (state.readyState < 2) state.readyState = 2;
      };
      setTimeout(() => {
        state.readyState = 3;
        emit(this, new Event("error"));
        emit(this, new CloseEvent("close", { code: 1006, reason: "", wasClean: false }));
      });
    }
    send() {
      if (this.readyState === 0) throw new DOMException("Still in CONNECTING state.", "InvalidStateError");
    }
    close() {}
  }, ["open", "message", "error", "close"], { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
  inert("EventSource", class EventSource extends EventTarget {
    constructor(address, options) {
      super();
      const url = new URL(address, referenceBase()).href;
      Object.assign(this, { url, readyState: 0, withCredentials: Boolean(options && options.withCredentials) });
      setTimeout(() => {
        if (this.readyState === 2) return;
        this.readyState = 2;
        emit(this, new Event("error"));
      });
    }
    close() {
      this.readyState = 2;
    }
  }, ["open", "message", "error"], { CONNECTING: 0, OPEN: 1, CLOSED: 2 });
  const unreachable = () => {
    const rejected = Promise.reject(new DOMException("The network is unreachable.", "NetworkError"));
    rejected.catch(() => {});
    return rejected;
  };
  inert("WebTransport", class WebTransport {
    constructor(address) {
      new URL(address);
      this.ready = unreachable();
      this.closed = unreachable();
    }
    createBidirectionalStream() { return unreachable(); }
    createUnidirectionalStream() { return unreachable(); }
    close() {}
  }, []);
  // A peer that finds no way to any other.
  class DataChannel extends EventTarget {
    constructor(label = "", options = {}) {
      super();
      Object.assign(this, { label: String(label), readyState: "connecting", bufferedAmount: 0, id: null,
        ordered: options.ordered !== false, protocol: "", negotiated: false, binaryType: "arraybuffer" });
    }
    send() { throw new DOMException("The channel is not open.", "InvalidStateError"); }
    close() { this.readyState = "closed"; }
  }
  class Peer extends EventTarget {
    constructor() {
      super();
      Object.assign(this, { connectionState: "new", iceConnectionState: "new", iceGatheringState: "new",
        signalingState: "stable", localDescription: null, remoteDescription: null, canTrickleIceCandidates: null });
    }
    static generateCertificate() { return unreachable(); }
    createDataChannel(label, options) { return new DataChannel(label, options); }
    createOffer() { return Promise.resolve({ type: "offer", sdp: "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" }); }
    createAnswer() { return Promise.resolve({ type: "answer", sdp: "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" }); }
    async setLocalDescription(description) {
      this.localDescription = description || await this.createOffer();
      this.iceGatheringState = "complete";
      setTimeout(() => emit(this, Object.assign(new Event("icecandidate"), { candidate: null })));
    }
    async setRemoteDescription(description) { this.remoteDescription = description; }
    async addIceCandidate() {}
    async getStats() { return new Map(); }
    addTrack() { return {}; }
    removeTrack() {}
    addTransceiver() { return {}; }
    getSenders() { return []; }
    getReceivers() { return []; }
    getTransceivers() { return []; }
    getConfiguration() { return {}; }
    setConfiguration() {}
    restartIce() {}
    close() {
      this.signalingState = this.connectionState = this.iceConnectionState = "closed";
    }
  }
  handlers(DataChannel, ["open", "message", "error", "close", "bufferedamountlow"]);
  handlers(Peer, ["icecandidate", "track", "datachannel", "negotiationneeded", "connectionstatechange",
    "iceconnectionstatechange", "icegatheringstatechange", "signalingstatechange", "icecandidateerror"]);
  const PEERS = { RTCPeerConnection: Peer, webkitRTCPeerConnection: Peer, RTCDataChannel: DataChannel };
  for (const [name, type] of Object.entries(PEERS)) replaceClass(name, type);
  if (self.Notification) {
    inert("Notification", class Notification extends EventTarget {
      static permission = "denied";
      static maxActions = 0;
      static requestPermission(then) {
        if (then) then("denied");
        return Promise.resolve("denied");
      }
      constructor(title, options) {
        super();
        Object.assign(this, { body: "", ...options, title: String(title) });
        setTimeout(() => emit(this, new Event("error")));
      }
      close() {}
    }, ["click", "close", "error", "show"]);
  }
  wrap(self.Navigator && Navigator.prototype, "sendBeacon", () => function () { return true; });
  // A service worker would stand between the page and the replay.
  if (self.Navigator && "serviceWorker" in Navigator.prototype) {
    const container = new EventTarget();
    const refused = () => Promise.reject(new DOMException("Service workers aren't replayed.", "SecurityError"));
    Object.assign(container, {
      controller: null, ready: new Promise(() => {}), oncontrollerchange: null, onmessage: null,
      register: refused, getRegistration: async () => undefined, getRegistrations: async () => [], startMessages() {},
    });
    Object.defineProperty(Navigator.prototype, "serviceWorker", { get: () => container, configurable: true, enumerable: true });
  }

