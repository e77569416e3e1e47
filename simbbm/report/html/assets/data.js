// The data of the page, and how elements are made of it. Texts only ever become text nodes.
const data = JSON.parse(document.getElementById("data").textContent);

const EVENT = { cpu: 0, kind: 1, text: 2, routine: 3, notes: 4, label: 5 };

function eventOf(step) {
  const event = data.events[step];
  return {
    step,
    cpu: event[EVENT.cpu],
    kind: event[EVENT.kind],
    text: data.values[event[EVENT.text]].replaceAll(" -> ", " \u2192 "),
    routine: data.values[event[EVENT.routine]],
    kernel: data.kernel[data.values[event[EVENT.routine]]] ?? "",
    notes: data.values[event[EVENT.notes]],
    label: data.values[event[EVENT.label]],
  };
}

// The value of a part in a state: state 0 is before the first step, state n + 1 is after step n.
function part(name, state) {
  const track = data.tracks[name];
  if (!track) return null;
  let low = 0;
  let high = track.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (track[2 * middle] <= state) low = middle + 1;
    else high = middle;
  }
  return low ? data.values[track[2 * low - 1]] : null;
}

function append(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function html(tag, attributes = {}, ...children) {
  return append(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return append(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

// What was there in the state before and is not now, and what is new: by the first `size` of its parts.
function compared(before, now, size) {
  const key = (item) => JSON.stringify(size ? item.slice(0, size) : item);
  const old = new Map((before ?? []).map((item) => [key(item), item]));
  const items = (now ?? []).map((item) => {
    const known = old.delete(key(item));
    return { item, how: before === null || known ? "" : "new" };
  });
  return [...items, ...[...old.values()].map((item) => ({ item, how: "gone" }))];
}

// "0, 2..4": numbers of CPUs, shortly.
function ranges(numbers) {
  const told = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const last = told.at(-1);
    if (last && last[1] === n - 1) last[1] = n;
    else told.push([n, n]);
  }
  return told.map(([a, b]) => (a === b ? `${a}` : b === a + 1 ? `${a}, ${b}` : `${a}\u2013${b}`)).join(", ");
}
