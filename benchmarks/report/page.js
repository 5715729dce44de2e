"use strict";
// The transcript browser: filters, a list, and one or two transcripts side by side. Text is always written as text.
// An address "#case=...&policy=..." opens a transcript; any field may be given, and sets its filter.
const all = JSON.parse(document.getElementById("transcripts").textContent);
const find = (id) => document.getElementById(id);
const fields = ["policy", "suite", "category", "status"];
let shown = [];
let chosen = null;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function fill(select, values, first) {
  for (const [value, label] of [["", first], ...values.map((v) => [v, v])]) {
    const option = make("option", "", label);
    option.value = value;
    select.append(option);
  }
}

function signed(value) {
  return value === null ? "not scored" : (value > 0 ? "+" : "") + value.toFixed(2);
}

function matches(item) {
  const words = find("search").value.trim().toLowerCase();
  return fields.every((f) => !find(f).value || item[f] === find(f).value) &&
    (!words || item.text.includes(words));
}

function list() {
  shown = all.filter(matches);
  find("count").textContent = `${shown.length} of ${all.length} transcripts`;
  const box = find("list");
  box.replaceChildren(...shown.map((item) => {
    const button = make("button", "", item.title || item.case);
    button.type = "button";
    button.append(make("small", "", `${item.policy} · ${item.case} · ${item.status}`));
    button.addEventListener("click", () => pick(item));
    button.setAttribute("aria-current", String(item === chosen));
    return button;
  }));
  if (!shown.includes(chosen)) choose(shown[0] || null);
}

function choose(item) {
  chosen = item;
  const buttons = find("list").children;
  shown.forEach((other, i) => buttons[i].setAttribute("aria-current", String(other === item)));
  const beside = find("beside");
  const kept = beside.value;
  beside.replaceChildren();
  const twins = item === null ? [] : all.filter((o) => o !== item && o.suite === item.suite && o.case === item.case);
  fill(beside, twins.map((o) => o.policy), "nothing");
  if (twins.some((o) => o.policy === kept)) beside.value = kept;
  panes();
}

// Choose by hand: the address then leads to this transcript.
function pick(item) {
  choose(item);
  history.replaceState(null, "", "#" + new URLSearchParams({ case: item.case, policy: item.policy }));
  if (matchMedia("(max-width: 48rem)").matches) find("panes").scrollIntoView();
}

function follow() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const known = [...fields, "case"].filter((f) => wanted.get(f));
  if (!known.length) return;  // a section's name, or nothing
  for (const f of fields) find(f).value = "";
  find("search").value = "";
  const item = all.find((o) => known.every((f) => o[f] === wanted.get(f)));
  for (const f of known) if (f !== "case" && item) find(f).value = wanted.get(f);
  list();
  if (item) {
    choose(item);
    [...find("list").children][shown.indexOf(item)].scrollIntoView({ block: "nearest" });
  } else {
    find("panes").replaceChildren(make("p", "note", "This page has no such transcript; live negotiations beyond the first are in episodes.jsonl."));
  }
  find(wanted.get("case") ? "panes" : "transcripts-title").scrollIntoView();
  find("panes").focus({ preventScroll: true });
}

function panes() {
  const twin = chosen && all.find((o) => o.policy === find("beside").value && o.suite === chosen.suite && o.case === chosen.case);
  find("panes").replaceChildren(...[chosen, twin].filter(Boolean).map(pane));
}

function pane(item) {
  const box = make("article", "pane");
  box.append(make("h3", "", `${item.policy}: ${item.title || item.case}`));
  const facts = [item.hotel, ...item.tickets, `ended: ${item.end}`];
  if (item.reader) facts.push(`read by: ${item.reader}`);
  if (item.rating !== null) facts.push(`raters: ${item.rating.toFixed(1)} of 5`);
  const good = ["clean fix", "cut agreed"].includes(item.status);
  box.append(make("p", `tag ${good ? "good" : "bad"}`, item.status));
  box.append(make("p", "note", facts.join(" · ")));
  if (item.fault) box.append(make("p", "bad", `Fault: ${item.fault}`));
  for (const line of item.failed) box.append(make("p", "bad", `Check failed, ${line}`));
  item.turns.forEach((turn, i) => box.append(...exchange(turn, i + 1, item.problems.filter((p) => p.turn === i + 1))));
  return box;
}

function exchange(turn, number, problems) {
  const agent = make("div", "turn agent");
  const said = make("p");
  said.append(make("span", "who", `Agent ${number} `), ...highlighted(turn));
  agent.append(said);
  if (shows()) agent.append(reading(turn.reading, turn.confidence));
  for (const p of problems) agent.append(make("p", "bad", `${p.severe ? "Major problem" : "Problem"}: ${p.text}`));
  agent.append(breakdown(turn));
  if (turn.rating) agent.append(rating(turn.rating));
  const manager = make("div", "turn");
  const answer = make("p");
  answer.append(make("span", "who", "Manager "), turn.answer || "(silence)");
  manager.append(answer);
  if (shows()) manager.append(reading(turn.answer_reading, 1));
  for (const fault of turn.faults) manager.append(make("p", "note", `Fault: ${fault}`));
  return [agent, manager];
}

function shows() {
  return find("readings").checked;
}

function reading(text, confidence) {
  const sure = confidence < 1 ? ` (confidence ${confidence.toFixed(2)})` : "";
  return make("p", "note reading", `Understood: ${text}${sure}`);
}

function highlighted(turn) {
  if (!turn.text) return ["(nothing)"];
  const parts = [];
  let end = 0;
  const text = Array.from(turn.text);  // by code point, as the marks count
  for (const [from, to, rule] of turn.marks) {
    parts.push(text.slice(end, from).join(""));
    const hit = make("mark", "", text.slice(from, to).join(""));
    hit.title = `rule: ${rule}`;
    parts.push(hit);
    end = to;
  }
  return [...parts, text.slice(end).join("")];
}

function breakdown(turn) {
  const box = make("details", "reward");
  const r = turn.reward;
  const line = make("summary", r.total !== null && r.total < 0 ? "bad" : "", `R_total ${signed(r.total)}`);
  line.append(make("span", "note", `  model ${signed(r.model)}, judge ${signed(r.judge)}, rules ${signed(r.rules)}, stage: ${turn.stage}`));
  box.append(line);
  const terms = make("ul");
  for (const t of turn.terms) terms.append(make("li", t.points < 0 ? "bad" : "", `${t.source} ${t.id} ${signed(t.points)}${t.text ? ": " + t.text : ""}`));
  box.append(terms);
  return box;
}

function rating(r) {
  const box = make("details", "reward");
  box.append(make("summary", r.score < 3 ? "bad" : "", `Raters ${r.score.toFixed(1)} of 5${r.excellent ? ", excellent" : ""}`));
  const findings = make("ul");
  for (const f of r.findings) findings.append(make("li", f.points < 0 ? "bad" : "", `${f.rater} ${signed(f.points)}: ${f.text}`));
  if (!r.findings.length) findings.append(make("li", "", "nothing found for or against it"));
  box.append(findings);
  return box;
}

for (const item of all) item.text = [item.title, item.case, ...item.turns.flatMap((t) => [t.text, t.answer])].join("\n").toLowerCase();
for (const f of fields) {
  fill(find(f), [...new Set(all.map((item) => item[f]))].filter(Boolean), "all");
  find(f).addEventListener("change", list);
}
find("search").addEventListener("input", list);
find("beside").addEventListener("change", panes);
find("readings").addEventListener("change", panes);
find("list").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const next = step && [...find("list").children].indexOf(document.activeElement) + step;
  if (step && shown[next]) {
    event.preventDefault();
    find("list").children[next].focus();
  }
});
list();
window.addEventListener("hashchange", follow);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.hash === location.hash) follow();  // the same link again
});
follow();
