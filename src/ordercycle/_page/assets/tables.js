// Tables, tiles and heat maps, made of nodes and text alone.

/** @param {string} id @returns {any} */
const at = (id) => document.getElementById(id);

/** An element; attributes that are functions listen, null and false ones are left out.
 * @param {string} tag @param {Record<string, any>} attributes @param {...(Node | string | null)} children */
function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((one) => one !== null));
  return made;
}

/** A name that may be in any script and direction. @param {string} text */
const named = (text) => el("bdi", { class: "name" }, text);

/** A name with an explanation, or itself in full where it is long, that opens beside it.
 * @param {string} name @param {string} says */
const explained = (name, says) => says || name.length > 32
  ? el("button", { type: "button", class: "explained", "data-says": says }, named(name)) : named(name);

/** @param {string} shownText @param {number | null | undefined} value @param {string} kind @param {string} [tone] */
function cell(shownText, value, kind, tone = "") {
  if (value === undefined) return el("td", { class: "number empty" });
  const isMissing = value === null;
  return el("td", { class: `number ${kind} ${tone}`, "data-value": value == null ? "" : String(value), title: isMissing ? "not defined" : null },
    isMissing ? el("span", { "aria-label": "not defined" }, shownText) : shownText);
}

class Tables {
  /** @param {Cube} cube @param {(row: Row) => number} slotOf */
  constructor(cube, slotOf) {
    this.cube = cube;
    this.head = cube.head;
    this.slotOf = slotOf;
  }

  /** A value that may be shown: not of rows with too few customers.
   * @param {Metric} metric @param {Row} row @param {Span | null} span */
  value(metric, row, span) {
    const few = this.head.minCustomers;
    if (few && span && row !== this.cube.all) {
      const customers = this.cube.quantity("customers", row, span);
      if (customers !== null && customers < few) return null;
    }
    return this.cube.value(metric, row, span);
  }

  /** @param {Row} row */
  nameOf(row) {
    return row === this.cube.all ? this.head.all : this.head.segments[row].name;
  }

  /** Without the name of its group, in charts. @param {Row} row */
  shortName(row) {
    return this.head.segments[row]?.short ?? this.head.all;
  }

  /** @param {Row} row @param {Span} span */
  heading(row, span) {
    const segment = this.head.segments[row];
    const slot = this.slotOf(row);
    const changed = segment?.changed.filter((month) => span.first <= month && month <= span.last).map(monthName) ?? [];
    return el("th", { scope: "row" }, el("div", { class: "row-name" },
      el("span", { class: slot < 0 ? "swatch none" : `swatch series-${slot}`, "aria-hidden": "true" }),
      explained(this.nameOf(row), segment?.rule ?? "Everybody, once"),
      changed.length ? el("button", { type: "button", class: "changed", "data-says": `Conditions changed in ${changed.join(", ")}. Read about the change before comparing.`, "aria-label": `Conditions of ${this.nameOf(row)} changed` }, "!") : null));
  }

  /** Metrics of a span beside those of another one.
   * @param {State} state @param {Span} span @param {Span | null} prior @param {(name: string) => void} sort */
  metrics(state, span, prior, sort) {
    const rows = [...state.segments];
    const sorted = state.metrics.find((one) => one.export === state.sort);
    if (sorted) {
      const of = new Map(rows.map((row) => [row, this.value(sorted, row, span) ?? -Infinity]));
      rows.sort((a, b) => ((of.get(a) ?? 0) - (of.get(b) ?? 0)) * (state.down ? -1 : 1) || a - b);
    }
    const largest = new Map(state.metrics.map((one) => [one, Math.max(...rows.map((row) => Math.abs(this.value(one, row, span) ?? 0)))]));
    const headers = state.metrics.map((one) => el("th", {
      scope: "col", colspan: prior ? 2 : null,
      "aria-sort": one === sorted ? (state.down ? "descending" : "ascending") : null,
    }, el("button", { type: "button", class: "sort", "data-key": `sort ${one.export}`, "data-says": one.doc, click: () => sort(one.export) }, one.name)));
    const body = [this.cube.all, ...rows].map((row) => el("tr", { class: row === this.cube.all ? "all" : null },
      this.heading(row, span),
      ...state.metrics.flatMap((one) => {
        const value = this.value(one, row, span);
        const found = cell(shown(one, value, this.head.symbol), value, "value");
        const share = row === this.cube.all || !value ? 0 : Math.abs(value) / (largest.get(one) || 1);
        found.style.setProperty("--share", String(share));
        if (!prior) return [found];
        const changed = change(one, value, this.value(one, row, prior));
        return [found, cell(changed.text, value === undefined ? undefined : changed.value, "change", changed.tone)];
      })));
    at("table").replaceChildren(
      el("caption", { class: "sr" }, "Metrics of each segment"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Segment"), ...headers)),
      el("tbody", {}, ...body));
  }

  /** One metric, month by month. @param {State} state @param {Span} span */
  months(state, span) {
    const months = monthsOf(span);
    const body = [this.cube.all, ...state.segments].map((row) => el("tr", { class: row === this.cube.all ? "all" : null },
      this.heading(row, span),
      ...months.map((month) => {
        const value = this.value(state.metric, row, only(month));
        return cell(shown(state.metric, value, this.head.symbol), value, "value");
      })));
    at("table").replaceChildren(
      el("caption", { class: "sr" }, `${state.metric.name} of each segment by month`),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Segment"), ...months.map((month) => el("th", { scope: "col" },
        monthName(month) + (this.cube.isOpen(only(month)) ? ", so far" : ""))))),
      el("tbody", {}, ...body));
  }

  /** A metric in large letters. @param {string} label @param {Metric} metric @param {Row} row
   * @param {Span} span @param {Span | null} prior @param {Element} line */
  tile(label, metric, row, span, prior, line) {
    const [now, before] = [this.value(metric, row, span), this.value(metric, row, prior)];
    const changed = change(metric, now, before);
    return el("div", { class: "tile" }, el("p", { class: "label", title: label }, named(label)), line,
      el("p", { class: "large", "data-value": now == null ? "" : String(now) }, shown(metric, now, this.head.symbol)),
      el("p", { class: "small" }, ...(prior ? [el("span", { class: changed.tone }, changed.text), ` from ${shown(metric, before, this.head.symbol)}`] : ["no prior months"])));
  }

  /** A table of coloured numbers.
   * @param {Element} into @param {string} caption @param {string[]} head @param {{ name: string, cells: { text: string, value: number | null, level: number, note?: string, kind?: string }[] }[]} rows */
  heat(into, caption, head, rows) {
    const body = rows.map(({ name, cells }) => el("tr", {}, el("th", { scope: "row" }, named(name)),
      ...cells.map(({ text, value, level, note, kind }) => {
        const found = el("td", { class: `heat ${kind ?? ""}`, "data-value": value === null ? "" : String(value) }, text, note ? el("small", {}, note) : null);
        if (level >= 0) found.classList.add(`level-${Math.min(8, Math.round(level * 8))}`);
        return found;
      })));
    into.replaceChildren(el("caption", { class: "sr" }, caption),
      el("thead", {}, el("tr", {}, ...head.map((one) => el("th", { scope: "col" }, one)))), el("tbody", {}, ...body));
  }
}
