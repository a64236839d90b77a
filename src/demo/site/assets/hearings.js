// The list of hearings is kept as one file, so that it can be corrected in one place.
const list = document.getElementById("hearings");
fetch("/data/hearings.json")
  .then((answer) => answer.json())
  .then(({ hearings }) => {
    list.replaceChildren(...hearings.map((hearing) => {
      const item = document.createElement("li");
      const place = document.createElement("p");
      place.className = "kicker";
      place.textContent = `${hearing.date}, ${hearing.place}`;
      const heading = document.createElement("h3");
      heading.textContent = hearing.subject;
      const witnesses = document.createElement("p");
      witnesses.textContent = hearing.witnesses.join("; ");
      item.append(place, heading, witnesses);
      return item;
    }));
    document.getElementById("hearings-count").textContent = `${hearings.length} hearings were held.`;
  })
  .catch(() => {
    document.getElementById("hearings-count").textContent = "The list of hearings could not be loaded.";
  });
