// A worker of the plain kind.
self.onmessage = async ({ data }) => {
  const { readings } = await (await fetch(data.url)).json();
  self.postMessage({ count: readings.length, highest: Math.max(...readings.map((reading) => reading.value)) });
};
