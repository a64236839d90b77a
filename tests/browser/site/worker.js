// A classic worker. No strict mode here: `this` of a plain call is the global.
var loose = (function () { return this === self })()
importScripts('worker-lib.js', 'CDN/worker-lib.js')
const answered = async () => {
  const own = await fetch('plain.txt'), other = await fetch('CDN/data.json')
  const xhr = new XMLHttpRequest
  xhr.open('GET', 'CDN/data.json', false)
  xhr.send()
  const socket = new WebSocket('wss://gone.localhost/')
  const closed = new Promise(done => socket.onclose = e => done(e.code))
  const source = self.EventSource ? new EventSource('https://gone.localhost/events') : new EventTarget
  const nested = await new Promise(done => {
    const worker = new Worker('worker-nested.js')
    worker.onmessage = e => done(e.data)
    worker.onerror = () => done('error')
  })
  return {
    loose, name: self.name, location: location.pathname, origin: location.origin, same: location.origin === self.origin,
    libraries: self.libraries, own: await own.text(), ownUrl: own.url, other: (await other.json()).answer, otherUrl: other.url,
    request: new Request('CDN/x').url, xhr: [xhr.status, xhr.responseURL], nested, dynamic: (await import('./lib.mjs')).lib,
    socket: await Promise.race([closed, new Promise(done => setTimeout(done, 6000, 'open'))]),
    types: [typeof Date.now(), typeof Math.random(), crypto.getRandomValues(new Uint8Array(4)).length],
    made: String(new URL('x', location.href)),
  }
}
onmessage = () => answered().then(postMessage, error => postMessage(`thrown: ${error}`))
