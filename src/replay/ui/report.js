// Tells how far verification is, and shows the report when it is there. Nothing else
// of the page changes, so that its reader keeps the place.
"use strict";

(() => {
  const verdict = document.getElementById("verdict");
  const look = async () => {
    try {
      const response = await fetch(location.href);
      if (!response.ok) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const now = page.getElementById("verdict");
      if (!now) return;
      if (!page.querySelector('script[src="/-/report.js"]')) return location.reload();
      if (now.textContent !== verdict.textContent) verdict.textContent = now.textContent;
    } catch {
      // The server has gone; what is shown stays.
      return;
    }
    setTimeout(look, 3000);
  };
  setTimeout(look, 2000);
})();
