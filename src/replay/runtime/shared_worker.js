// What a shared worker begins with: the query tells of it, and then it is loaded
// as any other worker is.
{
  self.lastlight = JSON.parse(decodeURIComponent(location.search.slice(1)));
  const { script, address } = self.lastlight;
  importScripts(script);
  importScripts(address);
}
