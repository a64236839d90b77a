import { element, table } from "shape";

export const show = async (id) => {
  const { stations } = await (await fetch("/data/stations.json")).json();
  const { readings } = await (await fetch(new Request("/data/readings.json"))).json();
  const station = stations.find((each) => each.id === id);
  const own = readings.filter((reading) => reading.station === id);
  return [element("h1", station.name), table(["Day", "mg/l"], own.map((each) => [each.day, String(each.value)]))];
};
