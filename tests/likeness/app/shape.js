export const element = (name, text = "", attributes = {}) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(text);
  return made;
};
export const table = (head, rows) => {
  const made = document.createElement("table");
  const row = (cells, kind) => {
    const tr = made.insertRow();
    for (const cell of cells) tr.append(element(kind, "", {})), tr.lastChild.append(cell);
  };
  row(head, "th");
  for (const cells of rows) row(cells, "td");
  return made;
};
