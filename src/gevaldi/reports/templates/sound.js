"use strict";
// One sound at a time, by its button or the key p; a line on its picture says where it is. Without this script there are the browser's own controls.
(() => {
  const [viewer, details, listen, slider] = ["viewer", "details", "listen", "slider"].map((id) => document.getElementById(id));
  const player = new Audio();
  const STAGES = ["start", "end"]; // which p plays first
  let playing = null; // a button
  let latest = null;

  const say = (button, word) => (button.firstElementChild.textContent = word);
  const part = (text, name) => Object.assign(document.createElement("span"), { textContent: text, className: name });

  for (const audio of document.querySelectorAll("audio")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "play" });
    const title = audio.getAttribute("aria-label");
    const [, which, what] = /^(sample \d+ |)(.*)$/.exec(title);
    button.append(part("Play", ""), part(` ${which}`, "hidden"), part(what, "what hidden"));
    Object.assign(button.dataset, { sound: audio.src, stage: audio.dataset.stage });
    audio.replaceWith(button);
  }

  const place = (button) => (STAGES.indexOf(button.dataset.stage) + STAGES.length + 1) % (STAGES.length + 1);
  const inOrder = (element) => [...(element?.querySelectorAll(".play") ?? [])].sort((a, b) => place(a) - place(b));

  // ---- playing

  const inViewer = (button) => Boolean(listen?.contains(button));
  const isShown = (button) => !inViewer(button) || STAGES.includes(button.dataset.stage);
  const screen = (button) => isShown(button) && (inViewer(button) ? listen : button).parentElement.querySelector(".heard");

  function stop() {
    player.pause();
    if (!playing) return;
    say(playing, "Play");
    [playing, screen(playing)].forEach((element) => element && element.classList.remove("on"));
    playing = null;
  }

  function play(button) {
    stop();
    playing = latest = button;
    player.src = button.dataset.sound;
    if (inViewer(button) && isShown(button)) show(button.dataset.stage);
    say(button, "Stop");
    [button, screen(button)].forEach((element) => element && element.classList.add("on"));
    player.play().then(follow, (error) => error.name !== "AbortError" && fail(button));
  }

  function fail(button) {
    stop();
    say(button, "Cannot play");
  }

  function show(stage) {
    // The viewer's picture is the one that is heard.
    slider.value = stage === "start" ? slider.min : slider.max;
    slider.dispatchEvent(new Event("input"));
  }

  function follow() {
    if (!playing) return;
    if (screen(playing)) screen(playing).style.setProperty("--at", player.currentTime / player.duration || 0);
    requestAnimationFrame(follow);
  }

  player.addEventListener("ended", () => player.ended && stop()); // and not at the end of the sound before
  document.addEventListener(
    "click",
    (event) => {
      const button = event.target.closest(".play");
      if (!button) return;
      event.stopPropagation(); // a click on the card would open it
      if (button === playing) stop();
      else play(button);
    },
    true,
  );

  // ---- the viewer

  if (viewer) {
    new MutationObserver(() => {
      if (playing && inViewer(playing)) stop(); // its button leaves
      listen.replaceChildren(...inOrder(details));
    }).observe(details, { childList: true });
    viewer.addEventListener("close", stop);
  }

  // ---- the key

  const inWindow = (card) => {
    const { top, bottom } = card.querySelector(".play").getBoundingClientRect();
    return top > 0 && bottom < innerHeight;
  };

  function inView(target) {
    if (viewer?.open) return listen;
    const near = target.closest(".card") ?? document.querySelector(".card:hover");
    return near?.querySelector(".play") ? near : [...document.querySelectorAll(".card:has(.play):not([hidden])")].find(inWindow);
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=range]), select, textarea");
    if (event.key.toLowerCase() !== "p" || event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing) return;
    const buttons = inOrder(inView(event.target));
    if (!buttons.length) return;
    event.preventDefault();
    const end = buttons.find((button) => button.dataset.stage === "end");
    play((event.shiftKey && end) || buttons[(buttons.indexOf(latest) + 1) % buttons.length]);
  });
})();
