// The timeline of a study: what one person sees, as trials of jsPsych. index.html plays it with jsPsych; gevaldi study --serve with player.js.
"use strict";

const SURE = ["not at all sure", "slightly sure", "fairly sure", "very sure", "completely sure"];
const PERSON = ["person", "PROLIFIC_PID", "participant", "workerId"]; // names that platforms give the person in an address

function escaped(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function paragraphs(text) {
  return text.split(/\n\s*\n/).map((one) => `<p>${escaped(one)}</p>`).join("");
}

// FNV-1a, so that a person without a number has the same one after a reload.
function hash(text) {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

// Who answers: the person and the number that decides the arm, from the address or at random.
function whoAnswers(study, address) {
  const query = new URLSearchParams(address);
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const person = PERSON.map((name) => query.get(name)).find(Boolean) || random();
  const given = query.get("number") || "";
  const number = /^\d{1,9}$/.test(given) ? Number(given) : hash(person) % study.allocation.length;
  return { study: study.id, person, number };
}

// Whether this browser has shown this person pictures before. After a reload, the first choice comes after pictures, so it does not count.
const seen = {
  key: (who) => `gevaldi ${who.study} ${who.person}`,
  before(who) {
    try {
      return localStorage.getItem(this.key(who)) !== null;
    } catch {
      return false; // the browser stores nothing
    }
  },
  now(who) {
    try {
      localStorage.setItem(this.key(who), "");
    } catch {}
  },
};

function timeline(study, number) {
  const own = study.allocation[number % study.allocation.length];
  const sides = own.a === "first" ? ["first", "second"] : ["second", "first"];
  const letters = ["A", "B"];
  const ask = (task, heading, body, choices, more) => ({
    type: "html-button-response",
    stimulus: `<h1 tabindex="-1">${escaped(heading)}</h1>${body}`,
    choices: choices.map(escaped),
    data: { task, ...more },
  });
  const accuracies = sides.map((side, i) => `<tr><th scope="row">${letters[i]}</th><td>right on ${escaped(study.accuracies[side])} of pictures</td></tr>`);
  const table = `<table>${accuracies.join("")}</table>`;
  const programs = letters.map((letter) => `Program ${letter}`);
  const choose = (phase, heading) => [
    ask("choice", heading, table, programs, { phase }),
    ask("sure", "How sure are you of this choice?", "", SURE, { phase }),
  ];
  const pictures = study.arms[own.arm];
  const looks = own.order.map((place, i) => {
    const picture = pictures[place];
    const says = sides.map((side, k) => `<li>${letters[k]} says: <b><bdi>${escaped(picture[side])}</bdi></b></li>`).join("");
    const body = `<img src="${escaped(picture.file)}" alt="Picture ${i + 1}: judge what it shows"><ul>${says}</ul>`;
    return ask("picture", `Picture ${i + 1} of ${pictures.length}`, body, ["Next"], { picture: picture.file });
  });
  return [
    ask("consent", study.title, paragraphs(study.consent), ["I agree", "I do not agree"]),
    ask("instructions", "What you will do", paragraphs(study.instructions), ["Begin"]),
    ...choose("before", "Which program would you use?"),
    ...study.attention.map((check, i) => ask("attention", "A question in between", paragraphs(check.text), check.choices, { check: i })),
    ...looks,
    ...choose("after", "Now that you have seen the pictures: which program would you use?"),
    {
      type: "survey-text",
      preamble: '<h1 tabindex="-1">Anything you would like to say?</h1>',
      questions: [{ prompt: "A comment, if you like", name: "comment", rows: 4, columns: 50 }],
      button_label: "Finish",
      data: { task: "comment" },
    },
  ];
}
