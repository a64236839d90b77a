// A single-page application of the usual kind: one document, a router upon History, views that are
// imported when they are first shown, data by fetch, a worker that counts, and state in storage.
import { element } from "shape";

const ROUTES = {
  "/": { title: "Overview", load: () => import("views/overview.js") },
  "/stations": { title: "Stations", load: () => import("views/stations.js") },
  "/chart": { title: "Chart", load: () => import("views/chart.js") },
  "/about": { title: "About", load: () => import("views/about.js") },
};
const main = document.getElementById("main");

const route = async () => {
  const path = location.pathname.replace(/(.)\/$/, "$1");
  const station = path.match(/^\/stations\/([a-z]+)$/);
  const found = station ? { title: "Station", load: () => import("views/station.js") } : ROUTES[path];
  for (const link of document.querySelectorAll("nav a"))
    link.toggleAttribute("aria-current", new URL(link.href).pathname === path);
  if (!found) return main.replaceChildren(element("h1", "No such page"));
  document.title = `${found.title} - Water readings`;
  const view = await found.load();
  main.replaceChildren(...(await view.show(station?.[1])));
  sessionStorage.setItem("last", path);
};

for (const [path, { title }] of Object.entries(ROUTES))
  document.getElementById("nav").append(element("a", title, { href: path }));
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || new URL(link.href).origin !== location.origin) return;
  event.preventDefault();
  history.pushState({}, "", link.href);
  route();
});
addEventListener("popstate", route);
route();
