import { element } from "shape";

export const show = async () => {
  const answer = await fetch("/data/stations.json");
  const { stations } = await answer.json();
  const worker = new Worker("/sum.js");
  const sum = await new Promise((resolve) => {
    worker.onmessage = (event) => resolve(event.data);
    worker.postMessage({ url: "/data/readings.json" });
  });
  const dots = element("div", "", { class: "dots" });
  for (let n = 0; n < 40; n++)
    dots.append(element("i", "", { style: `left: ${(n * 37) % 97}%; top: ${(n * 53) % 91}%` }));
  return [
    element("h1", "Overview"),
    element("p", `${stations.length} stations made ${sum.count} readings; the highest was ${sum.highest} mg/l.`),
    dots,
  ];
};
