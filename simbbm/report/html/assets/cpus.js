// What each CPU may hold, what waits in its store buffer, which TLBIs have yet to act; and memory.

const MARKS = {
  conflict: ["conflict", "Another entry says otherwise about an address that both match"],
  tolerated: ["two sizes", "Another entry has another size; this CPU may see that"],
  stale: ["stale", "The tables in effect say otherwise, or nothing"],
};

function drawCpus(root, state, shown) {
  root.replaceChildren(...data.cpus.map((_, cpu) => cpu).filter(shown).map((cpu) => card(cpu, state)));
}

function card(cpu, state) {
  const now = (name) => part(`c${cpu}.${name}`, state);
  const before = (name) => (state ? part(`c${cpu}.${name}`, state - 1) : null);
  const list = (name, size) => compared(before(name), now(name), size);
  const leaves = list("leaves", 3).filter(({ how }) => how !== "gone");
  for (const item of now("gone") ?? []) leaves.push({ item, how: "gone" });
  const bad = (now("leaves") ?? []).some((leaf) => leaf[3] === "conflict");
  const [routine, next] = now("next") ?? ["", ""];
  const registers = now("regs") ?? [];
  return html(
    "article",
    { class: bad ? "cpu bad" : "cpu", "data-cpu": cpu },
    html("h3", {}, data.cpus[cpu], html("span", {}, ...(now("state") ?? []).map((told) => html("i", {}, told)))),
    next ? html("p", { class: "next", title: `${routine}: ${next}` }, routine ? html("b", {}, `${routine}: `) : null, next) : null,
    html("p", { class: "regs" }, ...registers.map(register)),
    leaves.length ? html("table", { class: "leaves" }, html("tbody", {}, ...leaves.map(leafRow))) : html("p", { class: "none" }, "holds no leaf"),
    ...section("cached tables", list("tables"), ([pages, level, , name]) => `L${level} ${pages} \u2192 ${name}`),
    ...section("translated early", list("early"), (told) => told),
    ...section("in flight", list("flight"), (told) => told),
    ...section("stores not in memory yet", list("stores"), ([told, group]) => (group ? `${told} (behind a barrier)` : told)),
    ...section("TLBIs", list("tlbis"), (told) => told),
  );
}

function register([name, ...values]) {
  const old = values.length > 1 ? html("span", { class: "old", title: "may be in effect still" }, `${values.slice(0, -1).join(" or ")} or `) : null;
  return html("span", {}, html("b", {}, name), " ", old, values.at(-1));
}

function leafRow({ item: [pages, kind, output, mark], how }) {
  const [told, why] = MARKS[mark] ?? ["", ""];
  const classes = [how, how === "gone" ? "" : mark].filter(Boolean).join(" ");
  return html(
    "tr",
    { class: classes, title: how === "gone" ? "gone with this step" : why },
    html("td", {}, pages),
    html("td", {}, kind),
    html("td", {}, output),
    html("td", {}, how === "gone" ? "gone" : told),
  );
}

function section(name, items, told) {
  if (!items.length) return [];
  const lines = items.map(({ item, how }) => html("li", { class: how }, told(item)));
  return [html("h4", {}, name), html("ul", {}, ...lines)];
}

function drawWords(root, state) {
  const words = data.words.map(([name, told]) => {
    const value = part(name, state) ?? "0";
    const changed = state && (part(name, state - 1) ?? "0") !== value;
    return html("span", { class: changed ? "word new" : "word" }, html("b", {}, told), ` ${value}`);
  });
  root.replaceChildren(...words);
}

// The step itself: who did what, and which steps it has to do with.
function drawStep(root, step, go) {
  if (step < 0) {
    root.replaceChildren(html("p", { class: "what" }, "Before the first step"));
    return;
  }
  const event = eventOf(step);
  const who = `cpu${event.cpu}${event.kind === "step" ? "" : " hardware"}`;
  const links = [];
  for (const [later, earlier, how] of data.arrows) {
    if (later === step) links.push([EARLIER[how](step, earlier), earlier]);
    if (earlier === step) links.push([LATER[how](later), later]);
  }
  root.replaceChildren(
    html("p", { class: "who" }, html("b", {}, `step ${step}`), ` ${who}`, event.routine ? html("span", { class: "routine" }, event.routine) : null, event.kernel ? html("span", { class: "kernel" }, ` (${event.kernel})`) : null),
    html("p", { class: `what ${event.kind}` }, event.text),
    ...(event.notes ? [html("p", { class: "note" }, event.notes)] : []),
    html("p", { class: "links" }, ...links.map(([told, to]) => html("button", { type: "button", onclick: () => go(to) }, `${told} step ${to}`))),
    html("p", { class: "label" }, event.label),
  );
}

// In a line at the top what stands in red further below.
function drawConflicts(root, state) {
  data.cpus.forEach((_, cpu) => {
    const bad = (part(`c${cpu}.leaves`, state) ?? []).filter((leaf) => leaf[3] === "conflict");
    if (!bad.length) return;
    const pages = [...new Set(bad.map((leaf) => leaf[0]))].join(", ");
    const show = () => document.querySelector(`[data-cpu="${cpu}"]`)?.scrollIntoView({ block: "nearest" });
    const told = `cpu${cpu} may hold entries that disagree: ${pages}`;
    root.append(html("button", { class: "disagree", type: "button", onclick: show }, told));
  });
}

const EARLIER = {
  reads: () => "reads from",
  drains: () => "issued by",
  delivers: (step, earlier) => (data.events[earlier][EVENT.kind] === "step" ? "issued by" : "acted in"),
};
const LATER = {
  reads: () => "read by",
  drains: () => "reaches memory in",
  delivers: (later) => (data.values[data.events[later][EVENT.label]].endsWith("completes") ? "completes in" : "acts in"),
};
