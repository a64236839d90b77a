// What the scripts of a page see: a value a name, or how looking for it failed.
const seen = {}, looking = []
const see = (name, look) => looking.push((async () => {
  const late = new Promise(done => setTimeout(done, 20000, 'nothing in 20 s'))
  try { seen[name] = await Promise.race([look(), late]) } catch (error) { seen[name] = `thrown: ${error && error.name}` }
  if (seen[name] === undefined) seen[name] = 'undefined'
})())
const all = async () => {
  for (let done = -1; done !== looking.length;) { done = looking.length; await Promise.all(looking) }
  return seen
}
// The first event of these names; what it says.
const event = (target, names, say = e => e.type) => new Promise(done => {
  for (const name of names) target.addEventListener(name, e => done(say(e)), { once: true })
})
var text = url => fetch(url).then(answer => answer.text())
