// The translation tables: each a box that keeps its place, with what each CPU's TTBRs point to.

const LINE = 17;
const BOX = 106;
const GAP = 20;
const PILLS = 94;
const BOXES = new Map(
  data.boxes.map(([address, name, level, covers, column, top, rows]) => [
    address,
    { name, level, covers, x: PILLS + column * (BOX + GAP), y: top * LINE + 4, rows },
  ]),
);

class Tables {
  constructor(root) {
    const boxes = [...BOXES.values()];
    this.width = Math.max(0, ...boxes.map((box) => box.x + BOX)) + 4;
    this.height = Math.max(0, ...boxes.map((box) => box.y + (box.rows + 1.6) * LINE));
    this.picture = svg("svg", {
      viewBox: `0 0 ${this.width} ${this.height}`,
      style: `min-width:${Math.round(0.85 * this.width)}px;max-width:${Math.round(1.25 * this.width)}px`,
      role: "img",
      "aria-label": "Translation tables",
    });
    root.append(this.picture);
  }

  draw(state) {
    const boxes = [];
    const links = [];
    for (const [address, box] of BOXES) {
      const rows = part(`t${address}`, state) ?? [];
      const before = state ? part(`t${address}`, state - 1) : null;
      boxes.push(this.box(address, box, rows, before));
      rows.forEach((row, i) => links.push(...this.link(box, row, i)));
    }
    this.picture.replaceChildren(...links, ...boxes, ...this.roots(state), ...this.cached(state));
  }

  box(address, box, rows, before) {
    const changed = (row, i) => before !== null && JSON.stringify(before[i]) !== JSON.stringify(row);
    const level = box.level > 3 ? "not linked" : box.name.length > 12 ? "" : `L${box.level}`;
    const told = `${box.name}${box.covers ? `, from ${box.covers}` : ""}`;
    return svg(
      "g",
      { class: box.level > 3 ? "box unlinked" : "box", transform: `translate(${box.x} ${box.y})`, "data-table": address },
      svg("title", {}, told),
      svg("text", { class: "name", x: 1, y: LINE - 5 }, box.name),
      svg("text", { class: "level", x: BOX - 1, y: LINE - 5, "text-anchor": "end" }, level),
      ...rows.map((row, i) => this.row(row, i, changed(row, i))),
      svg("rect", { class: "frame", x: 0, y: LINE, width: BOX, height: rows.length * LINE, rx: 2 }),
      ...rows.filter(changed).length ? rows.map((row, i) => (changed(row, i) ? this.outline(i) : null)) : [],
    );
  }

  row([first, number, kind, contiguous, text], i, changed) {
    const y = (i + 1) * LINE;
    const index = number === 1 ? `${first}` : `${first}\u2013${first + number - 1}`;
    const what = kind === "invalid" || kind === "table" ? text : `${kind} ${text}`;
    const shift = 8 + 6.2 * index.length + 6;
    const room = Math.floor((BOX - shift - 2) / 6);
    const short = what.length > room ? `${what.slice(0, room - 1)}\u2026` : what;
    const classes = `row row-${kind}${contiguous ? " contiguous" : ""}${changed ? " changed" : ""}`;
    return svg(
      "g",
      { class: classes },
      svg("title", {}, `entry ${index}: ${what}${contiguous ? ", contiguous" : ""}`),
      svg("rect", { x: 0, y, width: BOX, height: LINE }),
      contiguous ? svg("rect", { class: "bar", x: 0, y, width: 4, height: LINE }) : null,
      svg("text", { class: "index", x: 8, y: y + LINE - 5 }, index),
      svg("text", { x: shift, y: y + LINE - 5 }, short),
    );
  }

  outline(i) {
    return svg("rect", { class: "outline", x: 0, y: (i + 1) * LINE, width: BOX, height: LINE, rx: 2 });
  }

  link(box, [, , kind, , , below], i) {
    const child = kind === "table" ? BOXES.get(below) : null;
    if (!child) return [];
    const [x1, y1] = [box.x + BOX, box.y + (i + 1.5) * LINE];
    const [x2, y2] = [child.x, child.y + LINE * 1.5];
    const bend = GAP * 0.6;
    const d = `M${x1} ${y1} C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    return [svg("path", { class: "link", d }), svg("circle", { class: "end", cx: x2, cy: y2, r: 2 })];
  }

  // Which roots the TTBRs point to, those that are perhaps in effect still among them.
  roots(state) {
    const pills = new Map();
    data.cpus.forEach((_, cpu) => {
      for (const [address, register, newest] of part(`c${cpu}.roots`, state) ?? []) {
        const of = pills.get(address) ?? new Map();
        pills.set(address, of);
        const name = newest ? register : `old ${register}`;
        of.set(name, [...(of.get(name) ?? []), cpu]);
      }
    });
    return [...pills].flatMap(([address, of]) => {
      const box = BOXES.get(address);
      return box ? [...of].sort().map(([name, cpus], i) => this.pill(box, name, cpus, i)) : [];
    });
  }

  pill(box, name, cpus, i) {
    const all = `${name} cpu${ranges(cpus)}`;
    const told = all.length > 14 && cpus.length > 2 ? `${name} ${cpus.length} CPUs` : all;
    const [x, y, width] = [box.x - PILLS + 1, box.y + LINE + i * (LINE + 2), PILLS - 11];
    const old = name.startsWith("old");
    return svg(
      "g",
      { class: old ? "pill old" : "pill", transform: `translate(${x} ${y})` },
      svg("title", {}, old ? `${all}: may be in effect until the next context synchronisation` : all),
      svg("rect", { x: 0, y: 1, width, height: LINE - 2, rx: 7 }),
      svg("text", { x: width / 2, y: LINE - 5, "text-anchor": "middle" }, told),
      svg("path", { d: `M${width} ${LINE / 2} H${width + 8} m-3 -2.5 l3 2.5 l-3 2.5` }),
    );
  }

  // Tables that only a cached table descriptor leads to.
  cached(state) {
    const holders = new Map();
    data.cpus.forEach((_, cpu) => {
      for (const [, , address] of part(`c${cpu}.tables`, state) ?? [])
        holders.set(address, new Set([...(holders.get(address) ?? []), cpu]));
    });
    return [...holders].flatMap(([address, cpus]) => {
      const box = BOXES.get(address);
      if (!box) return [];
      const rows = (part(`t${address}`, state) ?? []).length;
      const y = box.y + (rows + 2) * LINE - 5;
        const all = `cached by cpu${ranges(cpus)}`;
      const told = all.length > 18 ? `cached by ${cpus.size} CPUs` : all;
      return [svg("text", { class: "held", x: box.x + 1, y }, svg("title", {}, all), told)];
    });
  }
}
