// Loads jsPsych, from lib/ beside this page or else from its usual address, and plays the timeline.
"use strict";

const FILES = [
  ["jspsych.js", "jspsych@8.3.0/dist/index.browser.min.js", "sha384-PPMNzYQfqrWFhrOxhpwxXmKK+LDH//fBCLsvA/JIRHOfiuOcZ2j8wJhqo87V4R4B"],
  ["plugin-html-button-response.js", "@jspsych/plugin-html-button-response@2.1.0/dist/index.browser.min.js", "sha384-tPGtXEC8xEbInWvarnxvJ3fyzeXwRDS0QjGUts+TGQ9I8OCxiqsv9lxTS3mEN6um"],
  ["plugin-survey-text.js", "@jspsych/plugin-survey-text@2.1.1/dist/index.browser.min.js", "sha384-zsqp5G+ns0FQC22XQVyTA7zUWUP0trh2p9cvQlQhqen2al1J+llHID217LltT/WJ"],
];

function load(source, integrity) {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: source, onload: resolve, onerror: reject });
    if (integrity) Object.assign(script, { integrity, crossOrigin: "anonymous" });
    document.head.append(script);
  });
}

// What becomes of the answers. A platform that takes jsPsych's data has a call of its own, which goes here.
function finish(jsPsych) {
  const name = `study-${STUDY.id}-${jsPsych.data.get().values()[0].person.replace(/[^\w-]/g, "_").slice(0, 40)}.csv`;
  const place = jsPsych.getDisplayElement();
  place.innerHTML = '<h1 tabindex="-1">Thank you</h1><p>Please save your answers, and send the file to the person who invited you.</p><button class="jspsych-btn">Save</button>';
  place.querySelector("button").addEventListener("click", () => jsPsych.data.get().localSave("csv", name));
}

async function play() {
  for (const [name, address, integrity] of FILES) {
    await load(`lib/${name}`).catch(() => load(`https://unpkg.com/${address}`, integrity));
  }
  document.getElementById("study").textContent = "";
  let agreed = true;
  const jsPsych = initJsPsych({ display_element: "study", on_finish: () => agreed && finish(jsPsych) });
  const plugins = { "html-button-response": jsPsychHtmlButtonResponse, "survey-text": jsPsychSurveyText };
  const who = whoAnswers(STUDY, location.search);
  jsPsych.data.addProperties({ ...who, reloaded: seen.before(who) });
  const trials = timeline(STUDY, who.number).map((trial) => ({ ...trial, type: plugins[trial.type] }));
  trials.find((trial) => trial.data.task === "picture").on_start = () => seen.now(who);
  trials[0].on_finish = (data) => {
    if (data.response === 0) return;
    agreed = false;
    jsPsych.data.reset();
    jsPsych.abortExperiment("<h1>Thank you</h1><p>Nothing was stored. You may close this page.</p>");
  };
  await jsPsych.run(trials);
}

play().catch(() => {
  document.getElementById("study").textContent =
    "jsPsych could not be loaded. Put its files into the folder lib/ beside this page (README.txt says which), or connect to the internet. gevaldi study FOLDER --serve needs neither.";
});
