// The timeline: time runs down, a lane a CPU, and beside each a lane of its hardware. Only rows that
// can be seen are in the document, so that it stays small however long a run is. A row has text in one
// lane, which may go on over the empty lanes to its right; so the last lane is wider.

const ROW = 22;
const CAPTION = 17;
const LANE_MIN = 112;
const LAST_LANE = 1.5;
const RAIL = 17;
const TEXT_MIN = 220;
const NUMBERS = 46;
const LOOP = 18;
const BEYOND = 240;
const STRETCH_MIN = 4;
const ARROW_MAX = 420;

class Timeline {
  constructor(scroller, heads, pick, showAll) {
    this.scroller = scroller;
    this.heads = heads;
    this.pick = pick;
    this.showAll = showAll;
    this.current = -1;
    this.rows = html("div", { class: "rows" });
    this.paper = svg("svg", { class: "paper", "aria-hidden": "true" });
    this.space = html("div", { class: "space" }, this.paper, this.rows);
    scroller.append(this.space);
    this.scrolled = 0; // asking the browser would have it lay out everything, at every step
    scroller.addEventListener("scroll", () => {
      this.scrolled = scroller.scrollTop;
      this.later();
    });
    new ResizeObserver(() => this.arrange()).observe(scroller);
  }

  // Which steps are shown: of those that the filters `keep` the ones that are `told`, and a stretch
  // between them that is so short that leaving it out would save nothing.
  filter(keep, told, cpus) {
    this.cpus = cpus;
    this.shown = [];
    let stretch = [];
    for (let step = 0; step < data.steps; step++) {
      if (!keep(step)) continue;
      if (!told(step)) {
        stretch.push(step);
        continue;
      }
      this.shown.push(...(stretch.length < STRETCH_MIN ? stretch : []), step);
      stretch = [];
    }
    if (stretch.length < STRETCH_MIN) this.shown.push(...stretch);
    this.place = new Map(this.shown.map((step, i) => [step, i]));
    this.arrange();
  }

  // Where every row is: above some of them stands what was left out, or the routine.
  arrange() {
    if (!this.shown) return;
    this.width = this.scroller.clientWidth;
    this.height = this.scroller.clientHeight;
    const left = NUMBERS + (data.loop === null ? 0 : LOOP);
    const lane = (this.width - left) / Math.max(this.cpus.length - 1 + LAST_LANE, 1);
    this.wide = lane >= LANE_MIN;
    const narrow = (this.width - left - TEXT_MIN) / Math.max(this.cpus.length, 1);
    this.lane = this.wide ? lane : Math.min(Math.max(narrow, RAIL), 2 * RAIL);
    this.rail = this.wide ? RAIL : this.lane / 2;
    this.left = left;
    this.tops = [];
    this.captions = [];
    let top = 4;
    let before = -1;
    const routines = new Map();
    let cpu = null;
    for (const step of this.shown) {
      const event = eventOf(step);
      const captions = [];
      if (step > before + 1) captions.push(["gap", `${step - before - 1} ${step - before - 1 === 1 ? "step" : "steps"} left out`]);
      if (step === data.loop) captions.push(["round", "from here on it goes round"]);
      const known = this.wide ? routines.get(event.cpu) : cpu === event.cpu && routines.get(cpu);
      if (event.routine && known !== event.routine) captions.push(["routine", event.routine, event.kernel]);
      if (event.routine) routines.set(event.cpu, event.routine);
      if (event.routine) cpu = event.cpu;
      this.captions.push(captions);
      this.tops.push(top);
      top += captions.length * CAPTION + ROW;
      before = step;
    }
    this.tops.push(top);
    if (before >= 0 && before < data.steps - 1) top += CAPTION;
    this.space.style.height = `${top + 8}px`;
    this.scrolled = this.scroller.scrollTop;
    this.drawHeads();
    this.draw();
  }

  column(cpu) {
    return Math.max(this.cpus.indexOf(cpu), 0);
  }

  // The x of a lane's line: hardware to the left of the CPU's own.
  x(cpu, kind) {
    return this.left + this.column(cpu) * this.lane + (kind === "step" ? 1.5 : 0.5) * this.rail;
  }

  textX(cpu) {
    const column = this.wide ? this.column(cpu) * this.lane + 2 * RAIL : this.cpus.length * this.lane;
    return this.left + column + 4;
  }

  // The middle of a row that is shown.
  y(i) {
    return this.tops[i + 1] - ROW / 2;
  }

  drawHeads() {
    const names = this.cpus.map((cpu) => {
      const x = this.left + this.column(cpu) * this.lane + (this.wide ? RAIL : 0);
      const name = this.wide ? data.cpus[cpu] : `${cpu}`;
      const style = `left:${x}px;width:${this.lane - (this.wide ? RAIL : 0)}px`;
      return html("span", { class: this.wide ? "" : "narrow", style, title: data.cpus[cpu] }, name);
    });
    this.heads.replaceChildren(html("span", { class: "number", style: "left:0" }, "step"), ...names);
  }

  later() {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => {
      this.asked = false;
      this.draw();
    });
  }

  // The first row that ends below a height.
  rowAt(y) {
    let low = 0;
    let high = this.shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.tops[middle + 1] <= y) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  draw() {
    if (!this.shown) return;
    const from = Math.max(this.scrolled - BEYOND, 0);
    const to = this.scrolled + this.height + BEYOND;
    const first = this.rowAt(from);
    let end = first;
    while (end < this.shown.length && this.tops[end] < to) end++;
    const rows = [];
    for (let i = first; i < end; i++) rows.push(...this.row(i));
    if (end === this.shown.length) rows.push(...this.after());
    this.rows.replaceChildren(...rows);
    this.paper.replaceChildren(...this.drawing(first, end, from, to));
    this.paper.setAttribute("viewBox", `0 ${from} ${this.width} ${to - from}`);
    this.paper.style.cssText = `top:${from}px;width:${this.width}px;height:${to - from}px`;
    const selected = this.place.has(this.current) ? `row-${this.current}` : null;
    if (selected) this.scroller.setAttribute("aria-activedescendant", selected);
    else this.scroller.removeAttribute("aria-activedescendant");
  }

  row(i) {
    const step = this.shown[i];
    const event = eventOf(step);
    const x = this.textX(event.cpu);
    let top = this.tops[i];
    const made = [];
    for (const [how, told, kernel] of this.captions[i]) {
      if (how === "gap") {
        made.push(this.gap(top, told));
        top += CAPTION;
        continue;
      }
      const at = how === "routine" ? x : this.left + 2 * RAIL + 4;
      const text = how === "routine" && !this.wide ? `cpu${event.cpu}  ${told}` : told;
      const style = `top:${top}px;left:${at}px;max-width:${this.width - at - 4}px`;
      made.push(html("div", { class: `caption ${how}${data.loop !== null && step >= data.loop ? " repeated" : ""}`, style, title: kernel ? `${told} (${kernel})` : told }, text));
      top += CAPTION;
    }
    const last = data.failed && step === data.steps - 1;
    const classes = ["row", event.kind];
    if (step === this.current) classes.push("current");
    if (data.loop !== null && step >= data.loop) classes.push("repeated");
    if (last) classes.push("last");
    const note = event.notes ? ` [${event.notes}]` : "";
    const attributes = {
      class: classes.join(" "),
      id: `row-${step}`,
      role: "option",
      "aria-selected": step === this.current ? "true" : "false",
      style: `top:${top}px`,
      title: `${event.text}${note}`,
      onclick: () => this.pick(step),
    };
    const who = html("span", { class: "hidden" }, ` cpu${event.cpu} ${event.kind === "step" ? "" : "hardware "}`);
    const text = html("span", { class: "text", style: `left:${x}px;max-width:${this.width - x - 4}px` }, event.text + note);
    made.push(html("div", attributes, html("span", { class: "number" }, `${step}`), who, text));
    return made;
  }

  // What is left out behind the last row.
  after() {
    const last = this.shown.at(-1) ?? -1;
    if (last === data.steps - 1) return [];
    return [this.gap(this.tops.at(-1), `${data.steps - 1 - last} steps left out`)];
  }

  gap(top, told) {
    const attributes = { class: "caption gap", type: "button", tabindex: -1, style: `top:${top}px;left:${this.left}px`, title: "Show all steps", onclick: () => this.showAll() };
    return html("button", attributes, `\u22EF ${told}`);
  }

  drawing(first, end, from, to) {
    const made = [this.arrowHeads()];
    const round = data.loop === null ? null : this.roundFrom();
    if (round !== null) made.push(...this.round(round));
    for (const cpu of this.cpus) {
      for (const kind of ["hardware", "step"]) {
        const x = this.x(cpu, kind);
        made.push(svg("line", { class: `rail ${kind}`, x1: x, x2: x, y1: from, y2: Math.min(to, this.tops.at(-1) + 6) }));
      }
    }
    for (const arrow of data.arrows) made.push(...this.arrow(arrow, from, to));
    for (let i = first; i < end; i++) {
      const event = eventOf(this.shown[i]);
      const selected = event.step === this.current ? " current" : "";
      const last = data.failed && event.step === data.steps - 1 ? " last" : "";
      const [cx, cy] = [this.x(event.cpu, event.kind), this.y(i)];
      made.push(svg("circle", { class: `dot ${event.kind}${selected}${last}`, cx, cy, r: selected ? 5 : 3.5 }));
    }
    return made;
  }

  arrowHeads() {
    const heads = ["reads", "drains", "delivers", "goes-round"].map((how) =>
      svg(
        "marker",
        { id: `head-${how}`, viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: "userSpaceOnUse", orient: "auto" },
        svg("path", { class: `head ${how}`, d: "M0 0.8 L8 4 L0 7.2 z" }),
      ),
    );
    return svg("defs", {}, ...heads);
  }

  arrow([later, earlier, how], from, to) {
    const [a, b] = [this.place.get(earlier), this.place.get(later)];
    if (a === undefined || b === undefined) return [];
    const [y1, y2] = [this.y(a), this.y(b)];
    if (y2 < from || y1 > to) return [];
    const about = later === this.current || earlier === this.current;
    if (!about && y2 - y1 > ARROW_MAX) return [];
    const [x1, x2] = [earlier, later].map((step) => this.x(data.events[step][0], data.events[step][1]));
    const middle = (y1 + y2) / 2;
    const d =
      x1 < x2
        ? `M${x1 + 3} ${y1 + 2} C${x1 + 6} ${middle} ${x2 - 26} ${y2} ${x2 - 4} ${y2}`
        : x1 > x2
          ? `M${x1 - 2} ${y1 + 3} C${x1 - 4} ${middle} ${x2} ${Math.max(middle, y2 - 40)} ${x2} ${y2 - 4}`
          : `M${x1 - 3} ${y1 + 2} C${x1 - 14} ${middle} ${x2 - 18} ${y2 - 10} ${x2 - 4} ${y2 - 1}`;
    return [svg("path", { class: `arrow ${how}${about ? " about" : ""}`, d, "marker-end": `url(#head-${how})` })];
  }

  // The first row of the round, if one is shown.
  roundFrom() {
    const i = this.shown.findIndex((step) => step >= data.loop);
    return i < 0 ? null : i;
  }

  round(i) {
    const [y1, y2] = [this.y(i), this.y(this.shown.length - 1)];
    const x = NUMBERS + LOOP - 5;
    const d = `M${x} ${y2} H${x - 6} Q${x - 12} ${y2} ${x - 12} ${y2 - 6} V${y1 + 6} Q${x - 12} ${y1} ${x - 6} ${y1} H${x}`;
    const top = this.tops[i] + (this.captions[i][0]?.[0] === "gap" ? CAPTION : 0);
    return [
      svg("rect", { class: "turn", x: 0, y: top, width: this.width, height: this.tops.at(-1) - top }),
      svg("path", { class: "goes-round", d, "marker-end": "url(#head-goes-round)" }),
    ];
  }

  // Show a step as the current one, and come near it.
  select(step) {
    this.current = step;
    const i = this.place.get(step);
    if (i === undefined) this.scroll(0);
    else if (this.tops[i] < this.scrolled + ROW) this.scroll(this.tops[i] - this.height / 3);
    else if (this.tops[i + 1] > this.scrolled + this.height - ROW)
      this.scroll(this.tops[i + 1] - (this.height * 2) / 3);
    this.draw();
  }
  scroll(to) {
    this.scroller.scrollTop = to;
    this.scrolled = this.scroller.scrollTop;
  }
}
