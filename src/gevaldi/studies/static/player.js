// Plays the timeline without jsPsych, and stores the answers at the server that sent the page. Its data have the names that jsPsych gives.
"use strict";

(() => {
  const page = document.querySelector("main");
  const begin = performance.now();
  let keys = null;

  function show(html) {
    page.innerHTML = html;
    const heading = page.querySelector("h1");
    if (heading) heading.focus();
    window.scrollTo(0, 0);
  }

  function choice(trial) {
    return new Promise((resolve) => {
      const several = trial.choices.length > 1;
      const button = (text, i) => `<button type="button">${several ? `<kbd>${i + 1}</kbd> ` : ""}${text}</button>`;
      show(`${trial.stimulus}<div class="choices">${trial.choices.map(button).join("")}</div>`);
      const buttons = [...page.querySelectorAll(".choices button")];
      const press = (place) => {
        keys = null;
        resolve(place);
      };
      buttons.forEach((one, place) => one.addEventListener("click", () => press(place)));
      keys = (key) => (several ? buttons[Number(key) - 1] && press(Number(key) - 1) : key === " " && press(0));
    });
  }

  function survey(trial) {
    return new Promise((resolve) => {
      const fields = trial.questions.map((one) => `<label>${one.prompt}<textarea name="${one.name}" rows="${one.rows}"></textarea></label>`);
      show(`${trial.preamble}<form>${fields.join("")}<button>${trial.button_label}</button></form>`);
      page.querySelector("form").addEventListener("submit", (event) => {
        event.preventDefault();
        resolve(Object.fromEntries(new FormData(event.target)));
      });
    });
  }

  document.addEventListener("keydown", (event) => {
    const other = event.ctrlKey || event.metaKey || event.altKey || event.repeat;
    if (!keys || other || (event.key === " " && event.target.matches("button"))) return;
    if (/^[1-9 ]$/.test(event.key)) {
      event.preventDefault();
      keys(event.key);
    }
  });

  // What the server replies, sooner or later; null if it refuses, which is shown.
  async function post(address, body, [now, later, never]) {
    for (let wait = 1; ; wait = Math.min(2 * wait, 30)) {
      show(`<h1 tabindex="-1">One moment</h1><p role="status">${now}</p>`);
      try {
        const reply = await fetch(address, {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(body),
        });
        if (reply.ok) return await reply.json();
        if (reply.status < 500) {
          show(`<h1 tabindex="-1">${never}</h1><p>${escaped(await reply.text())}</p>`);
          return null;
        }
      } catch {} // the line is down
      show(`<h1 tabindex="-1">${later}</h1><p role="status">The server does not answer. Leave this page open: it tries again by itself.</p><button type="button">Try now</button>`);
      await new Promise((resolve) => {
        setTimeout(resolve, 1000 * wait);
        page.querySelector("button").addEventListener("click", resolve);
      });
    }
  }

  // A number for a person who agreed, which goes into the address, so that it stays after a reload.
  async function start() {
    const person = await post("begin", {}, ["The study begins.", "The study cannot begin yet", "The study cannot begin"]);
    if (person) history.replaceState(null, "", `?${new URLSearchParams(person)}`);
    return person;
  }

  async function play() {
    const query = new URLSearchParams(location.search);
    const preview = query.has("number") && !query.get("person");
    const [consent] = timeline(STUDY, 0); // the same for every number
    if ((await choice(consent)) !== 0) {
      return show('<h1 tabindex="-1">Thank you</h1><p>Nothing was stored. You may close this page.</p>');
    }
    if (!preview && !query.get("person") && !(await start())) return;
    const who = whoAnswers(STUDY, location.search);
    who.reloaded = seen.before(who);
    const rows = [];
    for (const trial of timeline(STUDY, who.number).slice(1)) {
      if (trial.data.task === "picture" && !preview) seen.now(who);
      const shown = performance.now();
      const response = await (trial.type === "survey-text" ? survey(trial) : choice(trial));
      const now = performance.now();
      const times = { rt: Math.round(now - shown), time_elapsed: Math.round(now - begin) };
      rows.push({ ...who, ...trial.data, trial_type: trial.type, trial_index: rows.length, response, ...times });
    }
    if (preview) return show('<h1 tabindex="-1">The end of the preview</h1><p>Nothing was stored.</p>');
    const words = ["Your answers are being stored.", "Your answers are not stored yet", "Your answers could not be stored"];
    if (await post("results", rows, words)) show('<h1 tabindex="-1">Thank you</h1><p>Your answers are stored. You may close this page.</p>');
  }

  play();
})();
