// Charts: Vega draws them from specifications that Python declared; here they get data and room.

const [NAMES, ENDS] = ["13px system-ui, sans-serif", "600 12px system-ui, sans-serif"];
const pen = document.createElement("canvas").getContext("2d");

/** How many pixels a text takes. @param {string} text @param {string} font */
function widthOf(text, font) {
  if (!pen) return text.length * 8;
  pen.font = font;
  return pen.measureText(text).width;
}

/** Names within so many pixels: their beginnings, or both ends where beginnings are the same.
 * @param {string[]} names @param {number} pixels @param {string} font */
function fitted(names, pixels, font) {
  const cut = (/** @type {string} */ name, /** @type {number} */ before) => {
    const letters = [...name];
    const kept = (/** @type {number} */ most) => {
      const start = Math.ceil(most * before);
      return `${letters.slice(0, start).join("")}…${letters.slice(letters.length - most + start).join("")}`;
    };
    let most = Math.min(letters.length, Math.ceil(pixels / 3));
    if (most === letters.length && widthOf(name, font) <= pixels) return name;
    while (most > 1 && widthOf(kept(most), font) > pixels) most -= 1;
    return kept(most);
  };
  const beginnings = names.map((name) => cut(name, 1));
  return new Set(beginnings).size === new Set(names).size ? beginnings : names.map((name) => cut(name, 0.5));
}

class Charts {
  /** @param {Record<string, object>} specs @param {Cube} cube @param {Tables} tables */
  constructor(specs, cube, tables) {
    this.specs = specs;
    this.cube = cube;
    this.tables = tables;
    this.symbol = cube.head.symbol;
    /** @type {Map<Element, [string, View]>} */
    this.views = new Map();
    /** @type {Map<string, object>} */
    this.parsed = new Map();
  }

  /** Draw, or draw again with other data.
   * @param {HTMLElement} into @param {string} name @param {Record<string, object[]>} data
   * @param {Record<string, unknown>} signals @param {{ width: number, height: number, padding: object }} room */
  draw(into, name, data, signals, room) {
    let [kind, view] = this.views.get(into) ?? ["", null];
    if (kind !== name || !view) {
      into.replaceChildren();
      const parsed = this.parsed.get(name) ?? vega.parse(this.specs[name], {}, { ast: true });
      this.parsed.set(name, parsed);
      view = new vega.View(parsed, { renderer: "svg", expr: vega.expressionInterpreter, logLevel: vega.None });
      view.tooltip((_handler, event, _item, value) => showTip(value ? [el("p", {}, value)] : null, event.clientX, event.clientY));
      view.initialize(into);
      this.views.set(into, [name, view]);
    }
    view.width(Math.max(40, room.width)).height(room.height).padding(room.padding);
    for (const [key, rows] of Object.entries(data)) view.data(key, rows);
    for (const [key, value] of Object.entries(signals)) view.signal(key, value);
    view.run();
    into.querySelector("svg")?.setAttribute("aria-hidden", "true"); // its element has a sentence
    return view;
  }

  /** @param {Metric} metric */
  axis(metric) {
    return { share: metric.unit === "share", before: metric.unit === "currency" ? this.symbol : "" };
  }

  /** Bars of one metric. @param {HTMLElement} into @param {Metric} metric @param {[number, Row][]} rows
   * @param {Span} span @param {Span | null} prior @param {boolean} isNamed */
  bars(into, metric, rows, span, prior, isNamed) {
    const isNarrow = into.clientWidth < 520;
    const left = isNamed ? (isNarrow ? 100 : 190) : 16;
    const names = fitted(rows.map(([, row]) => this.tables.shortName(row)), left - 14, NAMES);
    const data = rows.map(([slot, row], place) => {
      const [now, before] = [this.tables.value(metric, row, span), this.tables.value(metric, row, prior)];
      const changed = change(metric, now, before);
      return {
        row: place, slot, name: isNamed ? names[place] : "", now: now ?? null,
        prior: prior ? before ?? null : null, shown: short(metric, now ?? null, this.symbol), tone: changed.tone,
        change: prior ? `${changed.text} from ${short(metric, before ?? null, this.symbol)}` : "",
      };
    });
    // Bars as long as leaves room for what is written behind each of them.
    const ends = data.flatMap((one) => [[one.now ?? 0, one.shown], [one.prior ?? 0, one.change]]);
    const [low, high] = [Math.min(0, ...ends.map(([end]) => Number(end))), Math.max(0, ...ends.map(([end]) => Number(end)))];
    const room = into.clientWidth - left - 14;
    const width = Math.min(room, ...ends.map(([end, text]) =>
      (room - widthOf(String(text), ENDS)) / Math.max(0.01, low === high ? 1 : (Math.max(0, Number(end)) - low) / (high - low))));
    const right = into.clientWidth - left - width;
    this.draw(into, "bars", { rows: data }, { ...this.axis(metric), above: prior ? -8 : 0 }, {
      width, height: rows.length * (prior ? 54 : 36),
      padding: { left, right, top: 4, bottom: 28 },
    });
  }

  /** Lines of one metric. @param {HTMLElement} into @param {Metric} metric @param {[number, Row][]} rows
   * @param {Span} span */
  lines(into, metric, rows, span) {
    const isNarrow = into.clientWidth < 520;
    const months = monthsOf(span);
    const right = isNarrow ? 110 : 230;
    const names = fitted(rows.map(([, row]) => this.tables.shortName(row)), right - (isNarrow ? 18 : 76), ENDS);
    const data = rows.flatMap(([slot, row], line) => {
      const values = months.map((month) => this.tables.value(metric, row, only(month)) ?? null);
      // What a segment that is not calculated any more has done is not drawn as 0 for ever.
      const end = metric.unit !== "share" && this.cube.head.over[metric.above[0]] === "period"
        ? values.findLastIndex((value) => value !== 0 && value !== null) + 1 : values.length - 1;
      const last = values.slice(0, end + 1).findLastIndex((value) => value !== null);
      return values.map((value, place) => ({
        month: monthName(months[place]), slot, name: names[line], row,
        value: place <= end ? value : null, shown: isNarrow ? "" : short(metric, value, this.symbol),
        end: place !== last ? null : this.cube.isOpen(only(months[place])) ? "open" : "done",
      }));
    });
    const marks = rows.flatMap(([, row]) => (this.cube.head.segments[row]?.changed ?? [])
      .filter((month) => span.first <= month && month <= span.last)
      .map((month) => ({ month: monthName(month), text: "Conditions for segments changed during this period. Check the event log before comparing." })));
    const view = this.draw(into, "lines", { rows: data, marks }, { ...this.axis(metric), cursor: "", months: months.map(monthName) }, {
      width: into.clientWidth - 56 - right, height: isNarrow ? 240 : 320,
      padding: { left: 56, right, top: 22, bottom: 28 },
    });
    this.followed(into, view, months, metric, rows);
  }

  /** Let pointer and arrow keys read the values of a month.
   * @param {HTMLElement} into @param {View} view @param {number[]} months @param {Metric} metric @param {[number, Row][]} rows */
  followed(into, view, months, metric, rows) {
    const place = (/** @type {number} */ by) => view.scale("x")(monthName(months[by])) + 56;
    let held = months.length - 1;
    const show = (/** @type {number} */ by, /** @type {boolean} */ isSaid) => {
      held = by;
      const name = monthName(months[by]);
      const values = rows.map(([slot, row]) => ({ slot, row, value: this.tables.value(metric, row, only(months[by])) ?? null }));
      values.sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity));
      view.signal("cursor", name).run();
      const box = into.getBoundingClientRect();
      const lines = values.map(({ slot, row, value }) => el("tr", {},
        el("td", {}, el("span", { class: `swatch series-${slot}` })), el("td", {}, named(this.tables.nameOf(row))),
        el("td", { class: "number" }, shown(metric, value, this.symbol))));
      const title = el("p", { class: "tip-title" }, name);
      showTip([title, el("table", { class: "tip-table" }, ...lines)], box.left + place(by) + 8, box.top + 30);
      if (isSaid) say(`${name}: ${values.map(({ row, value }) => `${this.tables.nameOf(row)} ${shown(metric, value, this.symbol)}`).join(", ")}`);
    };
    const leave = () => { view.signal("cursor", "").run(); showTip(null); };
    into.onpointermove = (event) => {
      const x = event.clientX - into.getBoundingClientRect().left;
      const near = months.map((_, by) => Math.abs(place(by) - x));
      show(near.indexOf(Math.min(...near)), false);
    };
    into.onpointerleave = into.onblur = leave;
    into.onkeydown = (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      show(Math.min(months.length - 1, Math.max(0, held + by)), true);
    };
  }

  /** A small line of up to 13 months, where there is room and more than one of them.
   * @param {HTMLElement} into @param {Metric} metric @param {Row} row @param {number} last */
  sparkline(into, metric, row, last) {
    into.hidden = last === this.cube.first;
    if (!into.clientWidth) return;
    const data = monthsOf({ ...only(last), first: Math.max(this.cube.first, last - 12) }).map((month) => ({
      month: monthName(month), value: this.tables.value(metric, row, only(month)) ?? null,
      end: month === last ? "done" : null,
    }));
    this.draw(into, "sparkline", { rows: data }, {}, { width: into.clientWidth - 8, height: 34, padding: { left: 3, right: 5, top: 4, bottom: 4 } });
  }

  /** Who moved in a month. @param {HTMLElement} into @param {string[]} names
   * @param {number[]} ranks the higher, the better @param {number[][]} counts */
  flows(into, names, ranks, counts) {
    const none = names.length;
    const isNarrow = into.clientWidth < 640;
    const side = isNarrow ? 120 : 214;
    const [from_names, to_names] = ["New customers", "In no segment"].map((nowhere) => fitted([...names, nowhere], side - (isNarrow ? 54 : 70), NAMES));
    const rows = counts.flatMap((line, from) => line.map((size, to) => ({
      from, to, size, from_name: from_names[from], to_name: to_names[to],
      kind: from === none ? "new" : from === to ? "stayed" : to === none || ranks[to] < ranks[from] ? "down" : "up",
      text: `${names[from] ?? "New customers"} → ${names[to] ?? "in no segment"}: ${digits(size, 0)}`,
    }))).filter(({ size, from, to }) => size > 0 && !(from === none && to === none));
    this.draw(into, "flows", { rows }, { places: none + 1 }, {
      width: into.clientWidth - 2 * side, height: 480, padding: { left: side, right: side, top: 14, bottom: 14 },
    });
  }
}
