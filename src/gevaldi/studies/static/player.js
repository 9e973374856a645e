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

  async function store(rows) {
    for (let wait = 1; ; wait = Math.min(2 * wait, 30)) {
      show('<h1 tabindex="-1">One moment</h1><p role="status">Your answers are being stored.</p>');
      try {
        const reply = await fetch("results", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify(rows),
        });
        if (reply.ok) return show('<h1 tabindex="-1">Thank you</h1><p>Your answers are stored. You may close this page.</p>');
        if (reply.status < 500) return show(`<h1 tabindex="-1">Your answers could not be stored</h1><p>${escaped(await reply.text())}</p>`);
      } catch {} // the line is down
      show('<h1 tabindex="-1">Your answers are not stored yet</h1><p role="status">The server does not answer. Leave this page open: it tries again by itself.</p><button type="button">Try now</button>');
      await new Promise((resolve) => {
        setTimeout(resolve, 1000 * wait);
        page.querySelector("button").addEventListener("click", resolve);
      });
    }
  }

  async function play() {
    const who = whoAnswers(STUDY, location.search);
    const rows = [];
    for (const trial of timeline(STUDY, who.number)) {
      const shown = performance.now();
      const response = await (trial.type === "survey-text" ? survey(trial) : choice(trial));
      if (trial.data.task === "consent" && response !== 0) {
        return show('<h1 tabindex="-1">Thank you</h1><p>Nothing was stored. You may close this page.</p>');
      }
      const now = performance.now();
      const times = { rt: Math.round(now - shown), time_elapsed: Math.round(now - begin) };
      rows.push({ ...who, ...trial.data, trial_type: trial.type, trial_index: rows.length, response, ...times });
    }
    if (!new URLSearchParams(location.search).get("person")) {
      return show('<h1 tabindex="-1">The end of the preview</h1><p>Nothing was stored.</p>');
    }
    await store(rows);
  }

  play();
})();
