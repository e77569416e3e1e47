// What the reader does: steps, filters, the theme, and the step that a link names.

const slider = byId("slider");
const whose = new Set(data.cpus.map((_, cpu) => cpu));
const telling = new Set(data.telling);
const revealed = new Set(); // steps that a link led to although a filter hides their like
const tables = new Tables(byId("tables"));
const timeline = new Timeline(byId("lanes"), byId("heads"), go, showAll);
let current = -1;

// Whether the filters for CPUs and hardware let a step through.
function keeps(step) {
  const [cpu, kind] = data.events[step];
  return whose.has(cpu) && (kind === "step" || byId("hardware").checked || revealed.has(step));
}

function tells(step) {
  return !byId("telling").checked || telling.has(step) || revealed.has(step);
}

// Go to a step, whatever is filtered; -1 is before the first.
function go(step) {
  current = Math.min(Math.max(step, -1), data.steps - 1);
  if (current >= 0 && !timeline.place.has(current)) {
    whose.add(data.events[current][0]);
    revealed.add(current);
    filter();
  }
  drawStep(byId("step"), current, go);
  drawConflicts(byId("step"), current + 1);
  tables.draw(current + 1);
  drawCpus(byId("cpus"), current + 1, (cpu) => whose.has(cpu));
  drawWords(byId("words"), current + 1);
  byId("cursor")?.setAttribute("x", current + 1);
  timeline.select(current);
  slider.value = current;
  byId("where").textContent = current < 0 ? `start, ${data.steps} steps` : `step ${current} of ${data.steps - 1}`;
  byId("back").disabled = byId("first").disabled = current < 0;
  byId("forward").disabled = byId("last").disabled = data.loop === null && current === data.steps - 1;
  rememberSoon();
}

// The next step that is shown, perhaps of the same CPU; behind a round's last its first.
function next(by, sameCpu = false) {
  const cpu = current < 0 ? null : data.events[current][0];
  for (let step = current + by; step >= 0 && step < data.steps; step += by)
    if (timeline.place.has(step) && !(sameCpu && cpu !== null && data.events[step][0] !== cpu)) return step;
  if (by < 0) return -1;
  const round = data.loop === null ? [] : timeline.shown.filter((step) => step >= data.loop);
  return round.length && !sameCpu ? round[0] : current;
}

function move(by, sameCpu = false) {
  for (let i = 0; i < Math.abs(by); i++) {
    const to = next(Math.sign(by), sameCpu);
    if (to === current || (Math.abs(by) > 1 && to < current && by > 0)) break;
    current = to;
  }
  go(current);
}

// Of the steps that are shown, and the start, the one that is nearest to a step.
function nearest(step) {
  const far = (other) => Math.abs(other - step);
  return timeline.shown.reduce((best, other) => (far(other) < far(best) ? other : best), -1);
}

function filter() {
  timeline.filter(keeps, tells, [...whose].sort((a, b) => a - b));
  for (const box of byId("whose").querySelectorAll("input")) box.checked = whose.has(Number(box.value));
}

function refilter() {
  revealed.clear();
  filter();
  drawCpus(byId("cpus"), current + 1, (cpu) => whose.has(cpu));
  timeline.select(current);
}

function showAll() {
  byId("telling").checked = false;
  byId("hardware").checked = true;
  for (let cpu = 0; cpu < data.cpus.length; cpu++) whose.add(cpu);
  refilter();
}

let remembering = null;

// A browser refuses to note every step of a key that is held down.
function rememberSoon() {
  clearTimeout(remembering);
  remembering = setTimeout(() => {
    const name = current < 0 ? "#start" : `#step-${current}`;
    if (location.hash !== name) history.replaceState(null, "", name);
  }, 150);
}

// The step that a link names.
function named(hash) {
  const found = /^#step-(\d{1,7})$/.exec(hash);
  if (found) return Number(found[1]);
  return hash === "#start" ? -1 : null;
}

function toggle(id) {
  byId(id).checked = !byId(id).checked;
  refilter();
}

const KEYS = {
  ArrowLeft: (event) => move(-1, event.shiftKey),
  ArrowUp: (event) => move(-1, event.shiftKey),
  k: () => move(-1),
  ArrowRight: (event) => move(1, event.shiftKey),
  ArrowDown: (event) => move(1, event.shiftKey),
  j: () => move(1),
  PageUp: () => move(-10),
  PageDown: () => move(10),
  Home: () => go(-1),
  End: () => go(timeline.shown.at(-1) ?? -1),
  t: () => toggle("telling"),
  h: () => toggle("hardware"),
  d: () => nextTheme(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target === slider) return;
  const does = KEYS[event.key];
  if (!does) return;
  event.preventDefault();
  does(event);
});

for (const cpu of whose) {
  const box = html("input", { type: "checkbox", value: cpu, checked: "" });
  box.addEventListener("change", () => {
    if (box.checked) whose.add(cpu);
    else whose.delete(cpu);
    refilter();
  });
  byId("whose").append(html("label", {}, box, ` cpu${cpu}`));
}
for (const id of ["hardware", "telling"]) byId(id).addEventListener("change", refilter);
for (const [id, does] of [
  ["first", () => go(-1)],
  ["back", () => move(-1)],
  ["forward", () => move(1)],
  ["last", () => KEYS.End()],
])
  byId(id).addEventListener("click", does);
slider.min = -1;
slider.max = data.steps - 1;
slider.addEventListener("input", () => go(nearest(Number(slider.value))));
function follow(hash) {
  const step = named(hash);
  if (step === null || step === current) return;
  go(step);
  byId("step").scrollIntoView({ block: "nearest" });
}

addEventListener("hashchange", (event) => follow(new URL(event.newURL).hash));
// A link to the step that the address names still, since it is noted a little later, changes nothing.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link) follow(link.getAttribute("href"));
});

byId("telling").checked = data.short;
byId("memory").hidden = !data.words.length;
filter();
go(named(location.hash) ?? data.steps - 1);
