import { element } from "shape";

export const show = async () => {
  const { readings } = await (await fetch("/data/readings.json")).json();
  const canvas = element("canvas", "", { width: 800, height: 320 });
  const context = canvas.getContext("2d");
  const colours = { north: "#12455c", mill: "#c2462b", weir: "#4c8a3f" };
  for (const [station, colour] of Object.entries(colours)) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 3;
    context.beginPath();
    readings
      .filter((reading) => reading.station === station)
      .forEach((reading, at) => context.lineTo(40 + at * 120, 300 - reading.value * 60));
    context.stroke();
    context.fillRect(700, 20 + 24 * Object.keys(colours).indexOf(station), 60, 12);
  }
  const mark = new Image();
  mark.src = URL.createObjectURL(new Blob([await (await fetch("/mark.svg")).blob()], { type: "image/svg+xml" }));
  await mark.decode();
  context.drawImage(mark, 40, 20);
  return [element("h1", "Chart"), canvas];
};
