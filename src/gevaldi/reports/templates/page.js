"use strict";
// The gallery sorts and filters, a sample opens to its path, and the address holds what is shown, so that it can be sent.
(() => {
  const AT_ONCE = 24;
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const [cards, form, count, more, viewer] = ["cards", "filters", "count", "more", "viewer"].map(byId);
  const samples = data.samples.map((s) => {
    const card = byId(`sample-${s.index}`);
    const named = card.querySelectorAll("h3 bdi, .bars li:first-child bdi"); // asked for, and said first by either
    const words = [...named].flatMap((e) => e.textContent.toLowerCase().split(/[^\p{L}\p{N}]+/u));
    return { ...s, card, words };
  });
  let found = samples;
  let room = AT_ONCE;
  let opened = null;
  let asked = []; // filters of the address that no field of the form can hold, until the reader changes one

  // ---- the gallery

  const set = () => [...new FormData(form)].filter(([name, value]) => value.trim() && value !== form.elements[name].dataset.usual);
  const wanted = () => [...set(), ...asked];

  function fits(sample, [name, value]) {
    if (name === "sort" || name === "direction") return true;
    if (name === "q") return value.toLowerCase().trim().split(/\s+/).every((part) => sample.words.some((w) => w.startsWith(part)));
    const [key, edge] = name.split("-");
    if (!edge) return String(sample[key]) === value;
    const number = sample[key];
    return number !== null && (edge === "from" ? number >= Number(value) : number <= Number(value));
  }

  function compare(key, sign) {
    return (a, b) => {
      const [x, y] = [a[key], b[key]];
      if (x === null || y === null) return (x === null) - (y === null) || a.place - b.place; // what is unknown comes last
      return sign * (x < y ? -1 : x > y ? 1 : 0) || a.place - b.place;
    };
  }
  samples.forEach((sample, place) => (sample.place = place));

  function show() {
    const filters = wanted();
    const { sort, direction } = Object.fromEntries(new FormData(form));
    found = samples.filter((s) => filters.every((f) => fits(s, f))).sort(compare(sort, direction === "up" ? 1 : -1));
    const rest = new Set(samples);
    found.forEach((s) => rest.delete(s));
    const sequence = [...found, ...rest].map((s) => s.card);
    if (sequence.some((card, i) => cards.children[i] !== card)) cards.replaceChildren(...sequence);
    reveal();
    byId("none").hidden = found.length > 0;
    const matching = filters.length ? " that match the filters" : "";
    if (byId("on-paper")) byId("on-paper").textContent = `On paper: the first 12 of ${found.length} samples${matching}.`;
    byId("reset").hidden = filters.length === 0;
    byId("narrowed").textContent = filters.filter(([name]) => !["q", "sort", "direction"].includes(name)).length || "";
  }

  function reveal() {
    const inside = new Set(found.slice(0, room));
    samples.forEach((s) => (s.card.hidden = !inside.has(s)));
    more.hidden = found.length <= room;
    const some = found.length > room ? `; the first ${room} are shown` : "";
    count.textContent = `${found.length} of ${samples.length} samples${some}`;
  }

  function changed() {
    asked = [];
    byId("missing").hidden = true;
    room = AT_ONCE;
    show();
    writeAddress();
  }

  // ---- the address

  function writeAddress() {
    const parts = [opened && `sample-${opened.index}`, new URLSearchParams(wanted()).toString()].filter(Boolean);
    try {
      history.replaceState(null, "", parts.length ? `#${parts.join("&")}` : location.href.split("#")[0]);
    } catch {
      // a page inside another may not write its address
    }
  }

  function readAddress() {
    const fragment = location.hash.slice(1);
    const [first, ...others] = fragment.split("&");
    const number = /^sample-(\d+)$/.exec(first)?.[1];
    if (fragment && !number && !first.includes("=")) return false; // a section of the page
    const values = new URLSearchParams(number ? others.join("&") : fragment);
    for (const field of form.elements) {
      if (!field.name) continue;
      field.value = values.get(field.name) ?? field.dataset.usual ?? "";
      if (field.selectedIndex === -1) field.selectedIndex = 0;
    }
    const held = new Set(set().map(([name]) => name));
    asked = [...values].filter(([name, value]) => value && !held.has(name) && Object.hasOwn(data.samples[0] ?? {}, name.split("-")[0]));
    room = AT_ONCE;
    show();
    byId("by").open ||= Boolean(byId("narrowed").textContent);
    const sample = number && samples.find((s) => s.index === Number(number));
    const rest = data.rows > samples.length ? "gevaldi report RUN --limit N shows more" : "the run has no more";
    byId("missing").textContent = number && !sample ? `Sample ${number} is not on this page; ${rest}.` : "";
    byId("missing").hidden = !number || Boolean(sample);
    if (sample) open(sample);
    else if (viewer.open) viewer.close();
    return Boolean(fragment) && !sample;
  }

  // ---- a sample and its path

  let frames = [];
  let follow = [];

  function open(sample) {
    opened = sample;
    const card = sample.card;
    const path = JSON.parse(card.querySelector("script").textContent);
    const pictures = [...card.querySelectorAll(".pair .start img, .pair .end img")];
    frames = pictures.length ? path.frames.map((step, i) => ({ step, said: path.said[i], ...picture(path, pictures, i) })) : [];
    byId("viewer-title").replaceChildren(...[...card.querySelector("h3").childNodes].map((n) => n.cloneNode(true)));
    byId("viewer-title").querySelector("a").replaceWith(`#${sample.index}`);
    byId("film").hidden = frames.length === 0;
    follow = Object.entries(path.curves).map(([name, values]) => curve(name, values, path.points));
    byId("curves").replaceChildren(...follow.map((c) => c.element));
    byId("details").replaceChildren(...[...card.querySelectorAll(".error, .kind, .like, .original, .pair, .facts, .way")].map((n) => n.cloneNode(true)));
    byId("slider").max = frames.length - 1;
    byId("slider").value = frames.length - 1;
    byId("frame").className = card.querySelector(".pair")?.classList.contains("pixels") ? "pixels" : "";
    byId("frame").style.aspectRatio = path.aspect;
    if (frames.length) slide();
    byId("place").textContent = found.includes(sample) ? `${found.indexOf(sample) + 1} of ${found.length}` : "";
    if (!viewer.open) viewer.showModal();
    viewer.scrollTop = 0;
    writeAddress();
  }

  function picture(path, [before, after], i) {
    if (i === 0) return { source: before.src };
    if (i === path.frames.length - 1) return { source: after.src };
    const between = path.frames.length - 2;
    return { source: path.strip, position: `${between > 1 ? (100 * (i - 1)) / (between - 1) : 0}% 0` };
  }

  function slide() {
    const { step, said, source, position } = frames[Number(byId("slider").value)];
    const last = frames.at(-1).step;
    const names = said.map((label) => (label === null ? null : (data.names[label] ?? `class ${label}`)));
    byId("frame").src = source;
    byId("frame").style.objectPosition = position ?? "50% 50%";
    byId("frame").alt = `Sample ${opened.index} at step ${step}`;
    byId("step").textContent = `step ${step} of ${last}`;
    ["first", "second"].forEach((side, i) => (byId(`says-${side}`).textContent = names[i] ?? "–"));
    byId("slider").setAttribute("aria-valuetext", `step ${step} of ${last}; first: ${names[0]}, second: ${names[1]}`);
    follow.forEach((c) => c.mark(step));
  }

  const TITLES = { divergence: `divergence, ${data.unit}`, distance: `set distance, n = ${data.nearest}`, delta_z: "Δz" };
  const inDigits = (value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(3))));

  function drawn(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    return element;
  }

  function curve(name, values, points) {
    const [width, height, edge] = [300, 64, 5];
    const known = values.filter((v) => v !== null);
    const [low, high] = [Math.min(0, ...known), Math.max(...known, 1e-9)];
    const x = (step) => edge + ((width - 2 * edge) * step) / Math.max(1, points.at(-1));
    const y = (value) => height - edge - ((height - 2 * edge) * (value - low)) / (high - low);
    let pen = "M";
    const line = points.map((step, i) => {
      if (values[i] === null) return (pen = "M"), "";
      const piece = `${pen}${x(step).toFixed(1)} ${y(values[i]).toFixed(1)}`;
      pen = "L";
      return piece;
    });
    const label = `${TITLES[name]} from ${inDigits(values[0])} to ${inDigits(values.at(-1))} over ${points.at(-1)} steps`;
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
    const marker = drawn("circle", { r: 4 });
    svg.append(drawn("path", { class: "ground", d: `M${edge} ${y(0)}H${width - edge}` }), drawn("path", { d: line.join("") }), marker);
    const [element, caption, now] = ["figure", "figcaption", "b"].map((tag) => document.createElement(tag));
    caption.append(TITLES[name], now);
    element.append(caption, svg);
    const mark = (step) => {
      const value = values[points.indexOf(step)] ?? null;
      now.textContent = inDigits(value);
      marker.setAttribute("cx", x(step));
      marker.setAttribute("cy", y(value ?? 0));
    };
    return { element, mark };
  }

  function turn(by) {
    const among = found.includes(opened) ? found : samples;
    const next = among[among.indexOf(opened) + by];
    if (next) open(next);
  }

  function focusCard(sample) {
    if (!sample) return;
    const place = found.indexOf(sample);
    if (place < 0) return byId("gallery").focus(); // a filter has left it out
    if (place >= room) room = place + 1;
    reveal();
    sample.card.querySelector("h3 a").focus();
  }

  // ---- what the reader does

  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(changed));
  more.addEventListener("click", () => {
    const next = found[room];
    room += 4 * AT_ONCE;
    reveal();
    focusCard(next);
  });
  cards.addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    if (!card || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const meant = event.detail === 0 || event.target.closest("a"); // by the keyboard, or on the link
    if (!meant && String(getSelection())) return; // a text was marked
    event.preventDefault();
    open(samples.find((s) => s.card === card));
  });
  byId("slider").addEventListener("input", slide);
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
  viewer.addEventListener("close", () => {
    const last = opened;
    opened = null;
    writeAddress();
    focusCard(last);
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = button.dataset.copy === "address" ? location.href : data.copied[button.dataset.copy];
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    if (!done) prompt("Copy this:", text); // where a page may not write to the clipboard
    button.textContent = done ? "Copied" : button.dataset.usual;
    setTimeout(() => (button.textContent = button.dataset.usual), 2000);
  });

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    const typing = target.matches("input:not([type=range]), select, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
    const card = target.closest(".card");
    const inGallery = card !== null && cards.contains(card);
    const arrows = viewer.open ? target.id !== "slider" : inGallery;
    const by = key === "j" || (arrows && key === "ArrowRight") ? 1 : key === "k" || (arrows && key === "ArrowLeft") ? -1 : 0;
    if (by && viewer.open) turn(by);
    else if (by) focusCard(inGallery ? found[found.findIndex((s) => s.card === card) + by] : found[0]);
    else if (key === "/" && !viewer.open) byId("q").focus();
    else return;
    event.preventDefault();
  });

  function followAddress() {
    if (!readAddress()) return;
    byId("gallery").scrollIntoView();
    byId("gallery").focus({ preventScroll: true });
  }
  window.addEventListener("hashchange", followAddress);
  document.querySelectorAll("[data-scripted]").forEach((element) => (element.hidden = false));
  show();
  if (location.hash) followAddress();
})();
