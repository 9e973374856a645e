"use strict";
// The page of who owns the question: it refreshes automatically, says how long ago people answered, and copies their links.
(() => {
  const again = 10000; // milliseconds
  const SMALL = 64; // pixels up to which a picture is enlarged without smoothing
  const byId = (id) => document.getElementById(id);
  const sharpen = (image) => image.classList.toggle("pixels", image.naturalWidth > 0 && Math.max(image.naturalWidth, image.naturalHeight) <= SMALL);
  const number = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

  function ago(time) {
    const seconds = (Date.now() - new Date(time)) / 1000;
    const [unit, size] = [["day", 86400], ["hour", 3600], ["minute", 60]].find(([, size]) => seconds >= size) ?? ["", 1];
    return unit ? `${number(Math.floor(seconds / size), unit)} ago` : "just now";
  }
  function enliven() {
    document.querySelectorAll("[data-copy]").forEach((one) => (one.hidden = false));
    document.querySelectorAll("time").forEach((one) => (one.textContent = ago(one.dateTime)));
  }
  function replace(old, fresh) {
    const within = (section) => [...section.querySelectorAll("a, button, input, [tabindex]")];
    const place = within(old).indexOf(document.activeElement);
    old.replaceWith(fresh);
    enliven();
    within(fresh)[place]?.focus({ preventScroll: true });
  }
  document.addEventListener("click", async (event) => {
    const one = event.target.closest("[data-copy]");
    if (!one) return;
    const field = one.previousElementSibling;
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      field.select(); // a page without https may not write to the clipboard in another way
      document.execCommand("copy");
    }
    one.firstChild.textContent = "Copied";
    setTimeout(() => (one.firstChild.textContent = "Copy"), 2000);
  });
  async function refresh() {
    try {
      const reply = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(again) });
      if (!reply.ok) throw new Error(`status ${reply.status}`);
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      let last = document.querySelector("main > section");
      for (const fresh of page.querySelectorAll("main > section")) {
        const [old, text] = [byId(fresh.id), fresh.outerHTML];
        if (!old) last.after(fresh);
        else if (old.dataset.text !== text) replace(old, fresh);
        last = byId(fresh.id);
        last.dataset.text = text;
      }
      enliven();
      byId("fresh").textContent = `As of ${new Date().toLocaleTimeString("en-GB")}. This page refreshes automatically.`;
    } catch {
      byId("fresh").textContent = "No connection to the labelling server. This page tries again every 10 seconds.";
    }
    setTimeout(refresh, document.hidden ? 6 * again : again);
  }
  enliven();
  setTimeout(refresh, again);
  [...document.images].forEach(sharpen);
  document.addEventListener("load", (event) => event.target.localName === "img" && sharpen(event.target), true);
})();
