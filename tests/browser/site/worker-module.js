import { lib } from './lib.mjs'
import { url } from './meta.mjs'
onmessage = async () => postMessage({
  lib, url: new URL(url).pathname, strict: (function () { return this === undefined })(), location: location.pathname,
  other: await fetch('CDN/data.json').then(r => r.json()).then(j => j.answer), relative: await fetch('plain.txt').then(r => r.text()),
})
