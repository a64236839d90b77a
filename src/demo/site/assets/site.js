// Pictures below the fold are loaded when they come near the window.
const late = document.querySelectorAll("img[data-src]");
const show = (img) => {
  img.src = img.dataset.src;
  if (img.dataset.srcset) img.srcset = img.dataset.srcset;
};
if ("IntersectionObserver" in window) {
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      watcher.unobserve(entry.target);
      show(entry.target);
    }
  }, { rootMargin: "400px" });
  late.forEach((img) => watcher.observe(img));
} else {
  late.forEach(show);
}
