// Shows what a search finds while it is typed. Without it the form still works;
// what is found is the same page, of which one part is taken.
"use strict";

(() => {
  const form = document.getElementById("search");
  const found = document.getElementById("found");
  const told = document.getElementById("told");
  let asked = null;
  let last = new URLSearchParams(new FormData(form)).toString();

  const search = async () => {
    const query = new URLSearchParams(new FormData(form));
    if (query.toString() === last) return;
    last = query.toString();
    if (asked) asked.abort();
    asked = new AbortController();
    const word = query.get("q").trim();
    const address = new URL(form.action);
    address.search = word ? query : "";
    history.replaceState(null, "", address.pathname + address.search);
    if (word) {
      query.set("typed", "1");
      address.search = query;
    }
    try {
      const response = await fetch(address, { signal: asked.signal });
      if (!response.ok) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const part = page.getElementById("found");
      if (!part) return;
      const count = part.querySelectorAll(".pages > li").length;
      found.replaceChildren(...part.childNodes);
      const more = part.querySelector('.pager a[rel="next"], p > a');
      const results = count === 1 ? "1 result" : `${count} results`;
      told.textContent = !word ? "" : more ? `the first ${results}` : results;
    } catch {
      // Another letter came, or the server has gone: what is shown stays.
    }
  };

  let timer = 0;
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 200);
  });
})();
