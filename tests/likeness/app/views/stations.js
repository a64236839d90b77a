import { element, table } from "shape";

export const show = () =>
  new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("GET", new URL("data/stations.json", document.baseURI));
    request.responseType = "json";
    request.onload = () => {
      const rows = request.response.stations.map((station) => [
        element("a", station.name, { href: `/stations/${station.id}` }),
        station.river,
      ]);
      resolve([element("h1", "Stations"), table(["Station", "River"], rows)]);
    };
    request.send();
  });
