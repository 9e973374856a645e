"use strict";
// The page of a task: answers go to a list in this browser first, then to the server in order, and leave the list when the server has
// them on disk. Without a connection the list waits, and the pictures that are loaded already can still be answered.
(() => {
  const byId = (id) => document.getElementById(id);
  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...children);
    return made;
  };
  const count = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;

  // ---- what waits for the connection

  const AHEAD = 3; // pictures loaded beforehand
  const PATIENCE = 3000; // milliseconds that a person waits for the server before the next picture
  const SILENCE = 10000; // milliseconds after which a request is given up and repeated
  const LONGEST_PAUSE = 30000; // milliseconds between two tries
  const DOUBLE = 300; // milliseconds within which the second half of a double click answers nothing
  const SMALL = 64; // pixels up to which a picture is enlarged without smoothing
  const REAL = [["Y", "Yes", "yes"], ["S", "Unsure", "unsure"], ["X", "No", "no"]];

  class Waiting {
    // The requests that the server has not confirmed, in order; in memory where the browser stores nothing.
    constructor(prefix) {
      this.prefix = prefix;
      this.memory = new Map();
    }
    stored(act) {
      try {
        return act(localStorage);
      } catch {
        return null; // no storage in this browser, or no room in it
      }
    }
    keys() {
      const own = this.stored((s) => Object.keys(s).filter((key) => key.startsWith(this.prefix))) ?? [];
      return [...new Set([...own, ...this.memory.keys()])].sort();
    }
    read(key) {
      return JSON.parse(this.memory.get(key) ?? this.stored((s) => s.getItem(key)) ?? "null");
    }
    add(request) {
      const last = this.keys().at(-1)?.slice(this.prefix.length).split("-")[0] ?? 0;
      const key = `${this.prefix}${String(Number(last) + 1).padStart(9, "0")}-${request.body.key}`;
      this.memory.set(key, JSON.stringify(request));
      this.stored((s) => s.setItem(key, JSON.stringify(request)));
      if (this.stored((s) => s.getItem(key)) !== null) this.memory.delete(key);
      return key;
    }
    remove(key) {
      this.memory.delete(key);
      this.stored((s) => s.removeItem(key));
    }
    has(key) {
      return this.memory.has(key) || this.stored((s) => s.getItem(key)) != null;
    }
    isInMemory() {
      return this.memory.size > 0; // lost when the page is closed
    }
    tasks() {
      const names = [];
      for (const request of this.keys().map((key) => this.read(key))) {
        if (request?.address === "answer") names.push(request.body.task);
        else if (request) names.pop();
      }
      return names;
    }
  }

  const sharpen = (image) => image.classList.toggle("pixels", image.naturalWidth > 0 && Math.max(image.naturalWidth, image.naturalHeight) <= SMALL);
  const random = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  class Refusal extends Error {} // of a server that may accept the same request later, such as with a full disk

  async function json(address, options = {}, stop = new AbortController()) {
    // A reply of the labelling server. A page of a proxy or of a hotel's network is none: there is no connection.
    const silence = setTimeout(() => stop.abort(), SILENCE);
    try {
      const reply = await fetch(address, { cache: "no-store", signal: stop.signal, ...options });
      const content = await reply.json();
      if (reply.ok && ("progress" in content || "stored" in content)) return content;
      if ([404, 422].includes(reply.status) && content.error) return content;
      throw new Refusal(content.error ?? "");
    } finally {
      clearTimeout(silence);
    }
  }

  function minutes(number) {
    if (!number) return "";
    return number < 90 ? ` (${count(Math.round(number), "minute")})` : ` (${Math.round(number / 60)} hours)`;
  }

  // ---- the task

  function label() {
    const waiting = new Waiting(`gevaldi ${location.pathname} `);
    const form = byId("ask");
    const stage = document.querySelector(".stage");
    const { thing } = document.body.dataset;
    let shown = null; // the task on the page
    let ahead = []; // the tasks to come, the shown one first, with their pictures
    let passed = []; // tasks answered on this page, for undo without a connection
    let progress = null;
    let answer = null;
    let real = null;
    let since = 0;
    let busy = false; // an answer is on its way
    let online = true;
    let trouble = ""; // what the server said of it
    let notice = "";

    // ---- exchange with the server: everything that waits, in order, then the next tasks

    let again = false;
    let running = null;
    let looking = null;
    let replace = false; // the server decides what is on the page, after an undo
    let tries = 0;
    let timer = null;
    const arrivals = new Map(); // who waits for the confirmation of a request
    const locked = (act) => (navigator.locks ? navigator.locks.request(`${waiting.prefix}send`, act) : act()); // one tab at a time

    function exchange() {
      again = true;
      looking?.abort(); // its reply would be out of date
      return (running ??= rounds().finally(() => (running = null)));
    }

    async function rounds() {
      while (again) {
        again = false;
        clearTimeout(timer);
        try {
          await locked(send);
          await look();
          [online, trouble, tries] = [true, "", 0];
        } catch (error) {
          if (again && error.name === "AbortError") continue;
          [online, trouble] = [false, error instanceof Refusal ? error.message : ""];
          timer = setTimeout(exchange, Math.min(LONGEST_PAUSE, 1000 * 2 ** tries++));
        }
        arrivals.forEach((resolve) => resolve());
        tell();
      }
    }

    async function send() {
      for (let key = waiting.keys()[0]; key; key = waiting.keys()[0]) {
        const { address, body } = waiting.read(key);
        const headers = { "Content-Type": "application/json" };
        const reply = await json(address, { method: "POST", headers, body: JSON.stringify(body) });
        const nobody = reply.error && (await json("next?count=1")).error; // another server has taken this address: the answer still waits
        if (nobody) throw new Refusal(nobody);
        waiting.remove(key);
        progress = reply.progress ?? progress;
        replace ||= address === "undo";
        const other = address === "answer" && !reply.error && !reply.stored && reply.answer !== body.answer;
        notice = reply.error ?? (other ? `This ${thing} already had your answer: ${reply.answer}` : "");
        arrivals.get(key)?.();
      }
    }

    async function look() {
      looking = new AbortController();
      const reply = await json(`next?count=${AHEAD}`, {}, looking).finally(() => (looking = null));
      if (reply.error) return location.reload(); // the server has a page that says why
      progress = reply.progress;
      const known = new Map([...passed, ...ahead].map((task) => [task.task, task]));
      const stays = shown && !replace ? [shown] : [];
      const fresh = reply.tasks.filter((task) => !stays.some((one) => one.task === task.task));
      ahead = [...stays, ...fresh.map((task) => known.get(task.task) ?? { ...task, image: loading(task), audio: hearing(task) })];
      replace = false;
      if (!ahead.length) location.reload();
      else if (ahead[0] !== shown) show();
    }

    function loading(task, image = new Image()) {
      image.addEventListener("load", () => {
        sharpen(image);
        if (image === shown?.image) mark();
      });
      image.addEventListener("error", () => {
        if (image === shown?.image) mark();
        setTimeout(() => (image.src = task.picture), 2000);
      });
      sharpen(image);
      image.alt = `The ${thing} to label`;
      if (!image.src) image.src = task.picture;
      return image;
    }

    async function deliver(address, body) {
      // Keep a request, and wait until the server has it on disk, for as long as a person would.
      const key = waiting.add({ address, body: { ...body, key: random() } });
      const patience = setTimeout(() => arrivals.get(key)?.(), PATIENCE);
      const slow = setTimeout(() => say("Saving …", "plain"), 400);
      const arrived = new Promise((resolve) => arrivals.set(key, resolve));
      busy = true;
      exchange();
      if (online) await arrived;
      [patience, slow].forEach(clearTimeout);
      arrivals.delete(key);
      busy = false;
      online &&= !waiting.has(key);
      return !waiting.has(key);
    }

    // ---- listening

    const listen = byId("listen") && button("Space", "Play", "listen", hear);
    let heard = null;

    function hearing({ sound }) {
      return sound ? Object.assign(new Audio(sound), { preload: "auto" }) : null;
    }

    function hush(word = "Play") {
      if (!listen) return;
      heard?.pause();
      heard = null;
      listen.lastElementChild.textContent = word;
      listen.classList.remove("chosen");
      listen.disabled = !shown;
    }

    function hear() {
      if (heard || !shown) return hush();
      heard = shown.audio;
      heard.currentTime = 0;
      heard.onended = () => hush();
      listen.lastElementChild.textContent = "Stop";
      listen.classList.add("chosen");
      heard.play().then(follow, (error) => error.name !== "AbortError" && hush("This sound cannot be played"));
    }

    function follow() {
      if (!heard) return;
      listen.style.setProperty("--at", heard.currentTime / heard.duration || 0);
      requestAnimationFrame(follow);
    }

    // ---- answering

    const ready = (name) => shown !== null && shown.image.complete && (shown.image.naturalWidth > 0 || (name === "cannot tell" && online));
    const canUndo = () => waiting.tasks().length > 0 || Boolean(progress?.can_undo);

    async function choose(name, could = null) {
      if (busy || !ready(name ?? answer)) return;
      answer = name ?? answer;
      real = could ?? real;
      mark();
      if (answer === null || (shown.drawn && real === null)) return;
      const body = { task: shown.task, answer, shown_ms: Math.round(performance.now() - since) };
      await deliver("answer", shown.drawn ? { ...body, real } : body);
      passed = [...passed.slice(-20), shown];
      ahead = ahead.filter((task) => task !== shown);
      show();
      tell();
    }

    async function undo() {
      if (busy || !canUndo()) return;
      if (!online && !passed.length) return say("Undo needs the connection.", "waits");
      const last = passed.pop();
      if (await deliver("undo", {})) {
        busy = true;
        await running;
        busy = false;
        say("Your last answer is withdrawn.");
      } else if (last) {
        ahead.unshift(last);
        show();
        tell();
      }
    }

    // ---- what is on the page

    function button(key, name, kind, act) {
      const made = element("button", { type: "button", class: `choice ${kind}${name.length > 40 ? " wordy" : ""}` }, element("kbd", {}, key), element("bdi", {}, name));
      const twice = (event) => event.detail > 1 && performance.now() - since < DOUBLE;
      made.addEventListener("click", (event) => twice(event) || act());
      return made;
    }

    function show() {
      const within = form.contains(document.activeElement);
      shown = ahead[0] ?? null;
      [answer, real, since] = [null, null, performance.now()];
      hush();
      const names = shown?.choices ?? [];
      const longest = Math.max(0, ...names.map((name) => name.length));
      byId("choices").className = `choices${longest > 16 ? " long" : longest <= 8 ? " short" : ""}${names.length > 4 ? " many" : ""}`;
      byId("choices").replaceChildren(...names.map((name, i) => button(i < 9 ? String(i + 1) : "·", name, "", () => choose(name))));
      byId("others").replaceChildren(button("N", noneOf(names), "other", neither), button("?", "Cannot tell", "other", () => choose("cannot tell")));
      byId("real").hidden = !shown?.drawn;
      if (shown && stage.firstElementChild !== shown.image) stage.replaceChildren(shown.image);
      if (!shown) stage.replaceChildren(element("p", {}, `The next ${thing} comes when the connection is back.`));
      if (shown) shown.image.id = "picture";
      mark();
      if (within) byId("question").focus({ preventScroll: true });
    }

    const noneOf = (names) => (names.length === 2 ? "Neither" : "None of these");

    function mark() {
      // Show what is chosen so far; nothing can be chosen before the picture is there.
      const names = shown?.choices ?? [];
      const [none, unclear] = byId("others").children;
      const another = answer !== null && answer !== "cannot tell" && !names.includes(answer);
      none.lastElementChild.textContent = another && answer !== "neither" ? answer : noneOf(names);
      const states = [...[...byId("choices").children].map((one, i) => [one, answer === names[i]]), [none, another], [unclear, answer === "cannot tell"]];
      states.push(...[...realities.children].map((one, i) => [one, real === REAL[i][2]]));
      for (const [one, chosen] of states) {
        one.classList.toggle("chosen", chosen);
        one.disabled = !ready(one === unclear ? "cannot tell" : answer);
        if (shown?.drawn) one.setAttribute("aria-pressed", chosen);
        else one.removeAttribute("aria-pressed");
      }
      byId("real").classList.toggle("due", answer !== null && real === null);
      byId("choices").classList.toggle("due", real !== null && answer === null);
    }

    function say(text, kind = "") {
      if (byId("status").textContent !== text) byId("status").textContent = text;
      byId("status").className = kind;
    }

    function far() {
      const waits = waiting.tasks().length;
      const left = Math.max(0, progress.left - waits);
      const rest = left ? `, at most ${left.toLocaleString("en")} to go${minutes(progress.minutes)}${progress.ends_early ? ", often fewer" : ""}` : "";
      return `${(progress.answered + waits).toLocaleString("en")} answered${rest}`;
    }

    function tell() {
      const waits = waiting.tasks().length;
      const undone = waiting.keys().length ? "An undo waits for the connection." : "No connection.";
      const sentence = waits ? `${count(waits, "answer")} wait${waits === 1 ? "s" : ""} for the connection.` : undone;
      if (progress) {
        byId("far").textContent = far();
        byId("interval").hidden = !progress.interval;
        byId("interval").textContent = progress.interval ?? "";
        byId("bar").max = progress.answered + progress.left || 1;
        byId("bar").value = progress.answered + waiting.tasks().length;
      }
      byId("undo").disabled = !canUndo();
      if (!online) say(`${trouble || sentence} ${shown ? "You can go on." : "Keep this page open."}`, "waits");
      else if (notice) say(notice, "plain");
      else if (!busy) say(progress?.answered ? "Saved" : "");
      byId("paused-far").textContent = `${byId("far").textContent}.`;
      byId("paused-saved").textContent = waiting.keys().length ? `${sentence} ${waiting.isInMemory() ? "Keep this page open." : "Open this page on this device again to send what waits."}` : "Everything is saved.";
    }

    // ---- another class

    const dialog = byId("neither");
    const search = byId("search");
    const list = byId("classes");
    const MOST = 100; // classes in the list at once
    let classes = null; // none before they are loaded
    let active = 0;

    async function load() {
      try {
        const reply = classes ? null : await fetch("classes");
        if (reply?.ok) classes = await reply.json();
        if (dialog.open) filter();
      } catch {
        // without a connection the list is empty, and "neither" can still be said
      }
    }

    function neither() {
      if (busy || !ready()) return;
      if (!classes) load();
      else if (classes.every((name) => shown.choices.includes(name))) return choose("neither");
      search.value = "";
      filter();
      dialog.showModal();
      (matchMedia("(pointer: coarse)").matches ? byId("back") : search).focus(); // a keyboard on the screen would hide the list
    }

    const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

    function filter() {
      const parts = plain(search.value).split(/\s+/).filter(Boolean);
      const found = (classes ?? []).filter((name) => !shown.choices.includes(name) && parts.every((part) => plain(name).includes(part)));
      if (parts.length) found.sort((a, b) => plain(b).startsWith(parts[0]) - plain(a).startsWith(parts[0]));
      const option = (name, words, i) => {
        const made = element("li", { role: "option", id: `class-${i}`, class: name === "neither" ? "plainly" : "" }, element("bdi", {}, words));
        made.addEventListener("click", () => take(name));
        made.dataset.name = name;
        return made;
      };
      list.replaceChildren(option("neither", "Something else, or I cannot name it", 0), ...found.slice(0, MOST).map((name, i) => option(name, name, i + 1)));
      byId("more").textContent = found.length > MOST ? `${(found.length - MOST).toLocaleString("en")} more: type to narrow the list.` : classes && !found.length ? "No class of this name." : "";
      move(parts.length && found.length ? 1 : 0);
    }

    function move(to) {
      const options = [...list.children];
      active = Math.max(0, Math.min(options.length - 1, to));
      options.forEach((one, i) => one.setAttribute("aria-selected", i === active));
      search.setAttribute("aria-activedescendant", options[active].id);
      options[active].scrollIntoView({ block: "nearest" });
    }

    function take(name) {
      dialog.close();
      choose(name);
    }

    search.setAttribute("aria-controls", list.id);
    search.addEventListener("input", filter);
    search.addEventListener("keydown", (event) => {
      const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 6, PageUp: -6 };
      if (event.key in steps) move(active + steps[event.key]);
      else if (event.key === "Enter" && !event.isComposing) take(list.children[active].dataset.name);
      else return;
      event.preventDefault();
    });

    // ---- the guide and the pause

    async function guide() {
      try {
        const reply = await fetch("guide");
        const page = new DOMParser().parseFromString(await reply.text(), "text/html").getElementById("guide-text");
        page.querySelector("#return")?.parentElement.remove();
        byId("help-text").replaceChildren(...page.children);
        byId("help").showModal();
      } catch {
        say("The guide needs the connection.", "waits");
      }
    }

    function pause() {
      tell();
      byId("paused").showModal();
    }

    const open = () => document.querySelector("dialog[open]");
    const keys = {
      n: neither,
      "?": () => choose("cannot tell"),
      u: undo,
      backspace: undo,
      g: guide,
      p: pause,
      y: () => shown?.drawn && choose(null, "yes"),
      s: () => shown?.drawn && choose(null, "unsure"),
      x: () => shown?.drawn && choose(null, "no"),
      ...(listen && { " ": hear, l: hear }),
    };

    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing) return;
      const key = event.key.toLowerCase();
      if (open()) {
        const closes = { paused: "p", help: "g" };
        if (closes[open().id] === key) open().close();
        return;
      }
      const digit = /^[1-9]$/.exec(event.key)?.[0] ?? (event.shiftKey ? null : /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1]);
      const name = digit && shown?.choices[digit - 1];
      if (!name && !Object.hasOwn(keys, key)) return;
      if (key === " " && event.target.closest("button, a, summary, input, select")) return; // which the key presses
      event.preventDefault();
      if (name) choose(name);
      else keys[key]();
    });

    const realities = byId("real").lastElementChild;
    realities.replaceChildren(...REAL.map(([key, word, value]) => button(key, word, "other", () => choose(null, value))));
    byId("back").addEventListener("click", () => dialog.close());
    byId("resume").addEventListener("click", () => byId("paused").close());
    byId("close").addEventListener("click", () => byId("help").close());
    byId("paused").addEventListener("close", () => (since = performance.now()));
    byId("pause").addEventListener("click", pause);
    byId("pause").hidden = false;
    byId("guide").addEventListener("click", (event) => {
      event.preventDefault();
      guide();
    });
    byId("undo").type = "button";
    byId("undo").addEventListener("click", undo);
    form.addEventListener("submit", (event) => event.preventDefault());
    ["save", "another"].forEach((id) => byId(id)?.remove());

    const wake = () => {
      tries = 0;
      exchange();
    };
    addEventListener("beforeunload", (event) => waiting.isInMemory() && event.preventDefault());
    addEventListener("online", wake);
    addEventListener("focus", wake);
    addEventListener("pageshow", (event) => event.persisted && wake());
    document.addEventListener("visibilitychange", () => document.hidden || wake());

    if (listen) byId("listen").replaceChildren(listen);
    const first = JSON.parse(form.dataset.task);
    if (!waiting.tasks().includes(first.task)) ahead = [{ ...first, image: loading(first, byId("picture")), audio: hearing(first) }];
    show();
    exchange();
    load();
  }

  [...document.images].forEach(sharpen);
  document.addEventListener("load", (event) => event.target.localName === "img" && sharpen(event.target), true);
  const page = document.body.dataset.page;
  if (page === "task") label();
  if (page === "again") setTimeout(() => location.reload(), 20000);
  if (page === "done") document.addEventListener("keydown", (event) => (event.key === "u" || event.key === "Backspace") && byId("undo")?.form?.requestSubmit());
})();
