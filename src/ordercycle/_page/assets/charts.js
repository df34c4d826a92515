// Charts: Vega draws them from specifications that Python declared; here they get data and room.

const [NAMES, ENDS] = ["13px system-ui, sans-serif", "600 12px system-ui, sans-serif"];
const CHANGED = "Conditions for segments changed during this period. Check the event log before comparing.";
const pen = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));

/** How many pixels a text takes. @type {(text: string, font: string) => number} */
const widthOf = (text, font) => Object.assign(pen, { font }).measureText(text).width;

/** Names within so many pixels: their beginnings, or both ends where beginnings are the same.
 * @type {(names: string[], pixels: number, font: string) => string[]} */
function fitted(names, pixels, font) {
  const cut = (/** @type {string} */ name, /** @type {number} */ before) => {
    const letters = [...name];
    let [most, text] = [Math.min(letters.length, Math.ceil(pixels / 3) + 1), name];
    while (most > 1 && (letters.length * 3 > pixels + 3 && text === name || widthOf(text, font) > pixels)) {
      text = `${letters.slice(0, Math.ceil(--most * before)).join("")}…${letters.slice(letters.length - most + Math.ceil(most * before)).join("")}`;
    }
    return text;
  };
  const beginnings = names.map((name) => cut(name, 1));
  return new Set(beginnings).size === new Set(names).size ? beginnings : names.map((name) => cut(name, 0.5));
}

/** @type {(specs: Record<string, object>, cube: Cube, tables: Tables) => Charts} */
const chartsOf = (specs, cube, tables) => ({
  views: new Map(),
  parsed: new Map(),

  // Draw, or draw again with other data.
  draw(into, name, data, signals, width, height, padding) {
    let [kind, view] = this.views.get(into) ?? ["", null];
    if (kind !== name || !view) {
      into.replaceChildren();
      const parsed = this.parsed.get(name) ?? vega.parse(specs[name], {}, { ast: true });
      this.parsed.set(name, parsed);
      view = new vega.View(parsed, { renderer: "svg", expr: vega.expressionInterpreter, logLevel: vega.None });
      view.tooltip((_handler, event, _item, value) => showTip(value ? [el("p", {}, value)] : null, event.clientX, event.clientY));
      view.initialize(into);
      this.views.set(into, [name, view]);
    }
    view.width(Math.max(40, width)).height(height).padding(padding);
    for (const [key, rows] of Object.entries(data)) view.data(key, rows);
    for (const [key, value] of Object.entries(signals)) view.signal(key, value);
    view.run();
    into.querySelector("svg")?.setAttribute("aria-hidden", "true"); // its element has a sentence
    return view;
  },

  axis: ({ unit }) => ({ share: unit === "share", before: unit === "currency" ? cube.head.symbol : "" }),
  names: (rows, pixels, font) => fitted(rows.map(([, row]) => cube.head.segments[row]?.short ?? cube.head.all)
    .map((name, at, own) => (own.indexOf(name) === own.lastIndexOf(name) ? name : tables.nameOf(rows[at][1]))), pixels, font), // without their scheme's, where no two are alike
  short: (metric, value) => short(metric, value ?? null, cube.head.symbol),

  // Bars of one metric.
  bars(into, metric, rows, span, prior, isNamed) {
    const left = isNamed ? (into.clientWidth < 520 ? 100 : 190) : 16;
    const names = this.names(rows, left - 14, NAMES);
    const data = rows.map(([slot, row], place) => {
      const [now, before] = [cube.seen(metric, row, span) ?? null, cube.seen(metric, row, prior) ?? null];
      const { text, tone } = change(metric, now, before);
      return { row: place, slot, name: isNamed ? names[place] : "", now, prior: before, shown: this.short(metric, now), tone,
        change: prior ? `${text} from ${this.short(metric, before)}` : "" };
    });
    // Bars as long as leaves room for what is written behind each of them.
    const ends = data.flatMap((one) => [{ end: one.now ?? 0, text: one.shown }, { end: one.prior ?? 0, text: one.change }]);
    const [low, high] = [Math.min(0, ...ends.map(({ end }) => end)), Math.max(0, ...ends.map(({ end }) => end))];
    const room = into.clientWidth - left - 14;
    const width = Math.min(room, ...ends.map(({ end, text }) =>
      (room - widthOf(text, ENDS)) / Math.max(0.01, low === high ? 1 : (Math.max(0, end) - low) / (high - low))));
    this.draw(into, "bars", { rows: data }, { ...this.axis(metric), above: prior ? -8 : 0 }, width,
      rows.length * (prior ? 54 : 36), { left, right: into.clientWidth - left - width, top: 4, bottom: 28 });
  },
  // Lines of one metric; pointer and arrow keys read the values of a month.
  lines(into, metric, rows, span) {
    const isNarrow = into.clientWidth < 520;
    const [months, left, behind] = [monthsOf(span), 56, isNarrow ? 18 : 76];
    const names = this.names(rows, isNarrow ? 92 : 154, ENDS);
    const right = behind + Math.max(...names.map((name) => widthOf(name, ENDS)));
    const data = rows.flatMap(([slot, row], place) => {
      const values = months.map((month) => cube.seen(metric, row, only(month)) ?? null);
      // What a segment that is not calculated any more has done is not drawn as 0 for ever.
      const end = metric.unit !== "share" && cube.head.over[metric.above[0]] === "period"
        ? values.findLastIndex((value) => value !== 0 && value !== null) : values.length - 1;
      const last = values.slice(0, end + 2).findLastIndex((value) => value !== null);
      return values.map((value, at) => ({
        month: cube.month(months[at]), slot, name: names[place], row, value: at <= end + 1 ? value : null,
        shown: isNarrow ? "" : this.short(metric, value),
        end: at === last ? (cube.isOpen(only(months[at])) ? "open" : "done") : null,
      }));
    });
    const marks = rows.flatMap(([, row]) => months.filter((month) => cube.head.segments[row]?.changed.includes(month)))
      .map((month) => ({ month: cube.month(month), text: CHANGED }));
    const signals = { ...this.axis(metric), cursor: "", months: months.map((month) => cube.month(month)) };
    const view = this.draw(into, "lines", { rows: data, marks }, signals, into.clientWidth - left - right,
      isNarrow ? 240 : 320, { left, right, top: 22, bottom: 28 });
    const places = signals.months.map((name) => view.scale("x")(name) + left);
    let held = months.length - 1;
    const read = (/** @type {number} */ by) => {
      held = by;
      const values = rows.map(([slot, row]) => ({ slot, name: tables.nameOf(row), value: cube.seen(metric, row, only(months[by])) ?? null }))
        .sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity));
      view.signal("cursor", signals.months[by]).run();
      const box = into.getBoundingClientRect();
      showTip([el("p", { class: "tip-title" }, signals.months[by]), el("table", { class: "tip-table" }, ...values.map(({ slot, name, value }) =>
        el("tr", {}, el("td", {}, el("span", { class: `swatch series-${slot}` })), el("td", {}, named(name)), el("td", { class: "number" }, tables.text(metric, value)))))],
      box.left + places[by] + 8, box.top + 30);
      return `${signals.months[by]}: ${values.map(({ name, value }) => `${name} ${tables.text(metric, value)}`).join(", ")}`;
    };
    into.onpointermove = (event) => {
      const near = places.map((place) => Math.abs(place + into.getBoundingClientRect().left - event.clientX));
      read(near.indexOf(Math.min(...near)));
    };
    into.onpointerleave = into.onblur = () => { view.signal("cursor", "").run(); showTip(null); };
    into.onkeydown = (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) event.preventDefault(), say(read(Math.min(months.length - 1, Math.max(0, held + by))));
    };
  },
  // A small line of up to 13 months, where there is room and more than one of them.
  sparkline(into, metric, row, last) {
    into.hidden = last === cube.first;
    if (!into.clientWidth) return;
    const data = monthsOf({ ...only(last), first: Math.max(cube.first, last - 12) }).map((month) => ({
      month: cube.month(month), value: cube.seen(metric, row, only(month)) ?? null, end: month === last ? "done" : null }));
    this.draw(into, "sparkline", { rows: data }, {}, into.clientWidth - 8, 34, { left: 3, right: 5, top: 4, bottom: 4 });
  },
  // Who moved in a month; the specification knows in which direction that is.
  flows(into, { segments, ranks }, counts) {
    const [none, side] = [segments.length, into.clientWidth < 640 ? 120 : 214];
    const [from_names, to_names] = ["New customers", "In no segment"].map((nowhere) =>
      fitted([...segments, nowhere], side - (side < 200 ? 54 : 70), NAMES));
    const rows = counts.flatMap((line, from) => line.map((size, to) => ({ from, to, size })))
      .filter(({ size, from, to }) => size > 0 && !(from === none && to === none));
    this.draw(into, "flows", { rows }, { names: segments, from_names, to_names, ranks, none },
      into.clientWidth - 2 * side, 480, { left: side, right: side, top: 14, bottom: 14 });
  },
});
