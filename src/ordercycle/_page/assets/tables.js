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

/** A button that opens rows below its own. @param {string} label @param {string} key @param {boolean} isOpen @param {(key: string) => void} open */
const openerOf = (label, key, isOpen, open) => el("button", { type: "button", class: "opener", "aria-label": label, "aria-expanded": String(isOpen), "data-key": key, click: () => open(key) });

class Tables {
  /** @param {Cube} cube @param {(row: Row) => number} slotOf */
  constructor(cube, slotOf) {
    this.cube = cube;
    this.head = cube.head;
    this.slotOf = slotOf;
  }

  /** A value that may be shown: not of rows with too few customers.
   * @param {Metric} metric @param {Row} row @param {Span | null} span @param {string} key */
  value(metric, row, span, key = "") {
    const few = this.head.minCustomers;
    if (few && span && row !== this.cube.all) {
      const customers = this.cube.quantity("customers", row, span);
      if (customers !== null && customers < few) return null;
    }
    return this.cube.value(metric, row, span, key);
  }

  /** @param {Row} row */
  nameOf(row) {
    return row === this.cube.all ? this.head.all : this.head.segments[row].name;
  }

  /** Without the name of its group, in charts. @param {Row} row */
  shortName(row) {
    return this.head.segments[row]?.short ?? this.head.all;
  }

  /** @param {Row} row @param {Span} span @param {Node | null} opener */
  heading(row, span, opener = null) {
    const segment = this.head.segments[row];
    const slot = this.slotOf(row);
    const changed = segment?.changed.filter((month) => span.first <= month && month <= span.last).map(monthName) ?? [];
    return el("th", { scope: "row" }, el("div", { class: "row-name" }, opener,
      el("span", { class: slot < 0 ? "swatch none" : `swatch series-${slot}`, "aria-hidden": "true" }),
      explained(this.nameOf(row), segment?.rule ?? "Everybody, once"),
      changed.length ? el("button", { type: "button", class: "changed", "data-says": `Conditions changed in ${changed.join(", ")}. Read about the change before comparing.`, "aria-label": `Conditions of ${this.nameOf(row)} changed` }, "!") : null));
  }

  /** Metrics of a span beside those of another one.
   * @param {State} state @param {Span} span @param {Span | null} prior @param {(name: string) => void} sort
   * @param {(key: string) => void} open */
  metrics(state, span, prior, sort, open) {
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
    const cells = (/** @type {Row} */ row, /** @type {string} */ key) => state.metrics.flatMap((one) => {
      if (key && !one.channels) return Array.from({ length: prior ? 2 : 1 }, () => cell("", undefined, ""));
      const value = this.value(one, row, span, key);
      const found = cell(shown(one, value, this.head.symbol), value, "value");
      const share = row === this.cube.all || !value ? 0 : Math.abs(value) / (largest.get(one) || 1);
      if (share && !key) found.style.setProperty("--share", String(share));
      if (!prior) return [found];
      const changed = change(one, value, this.value(one, row, prior, key));
      return [found, cell(changed.text, value === undefined ? undefined : changed.value, "change", changed.tone)];
    });
    const hasChannels = this.head.channels.length > 0 && state.metrics.some((one) => one.channels);
    const body = [this.cube.all, ...rows].flatMap((row) => {
      const [name, isAll] = [this.nameOf(row), row === this.cube.all];
      const isOpen = hasChannels && state.open.has(`row ${name}`);
      const heading = this.heading(row, span, hasChannels ? openerOf(`Channels of ${name}`, `row ${name}`, isOpen, open) : null);
      return [el("tr", { class: isAll ? "all" : null }, heading, ...cells(row, "")),
        ...(isOpen ? this.head.channels.map((channel, at) => el("tr", { class: "deeper" },
          el("th", { scope: "row" }, el("div", { class: "row-name" }, named(channel))), ...cells(row, `c${at}`))) : [])];
    });
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

  /** The campaigns with most of a metric by all customers, and on demand their segments.
   * @param {State} state @param {Span} span @param {(key: string) => void} open @param {(by: number) => void} more */
  campaigns(state, span, open, more) {
    const { head } = this;
    const by = /** @type {Metric} */ (state.ranked);
    const valueOf = (/** @type {number} */ at, /** @type {Row} */ row) => this.value(by, row, span, `m${at}`) ?? 0;
    const ranked = head.campaigns.map((one, at) => ({ ...one, at, value: valueOf(at, this.cube.all) }))
      .filter(({ value }) => value !== 0).sort((a, b) => b.value - a.value || a.at - b.at);
    const metrics = [by, ...head.metrics.filter((one) => one.campaigns && one !== by)];
    const cells = (/** @type {Row} */ row, /** @type {number} */ at) => metrics.map((one) => {
      const value = this.value(one, row, span, `m${at}`);
      const found = cell(shown(one, value, head.symbol), value, "value");
      if (one === by && row === this.cube.all) found.style.setProperty("--share", String(Math.abs(value ?? 0) / Math.abs(ranked[0].value)));
      return found;
    });
    const body = ranked.slice(0, state.most).flatMap(({ name, at, open: months }) => {
      const key = `campaign ${name}`;
      const isOpen = state.open.has(key);
      const isUnfinished = months.some((month) => span.first <= month && month <= span.last);
      const rows = isOpen ? state.segments.map((row) => ({ row, value: valueOf(at, row) }))
        .filter(({ value }) => value !== 0).sort((a, b) => b.value - a.value || a.row - b.row) : [];
      const most = state.open.has(`all ${key}`) ? rows.length : 5;
      return [el("tr", {}, el("th", { scope: "row" }, el("div", { class: "row-name" }, openerOf(`Segments of ${name}`, key, isOpen, open), named(name),
        isUnfinished ? el("button", { type: "button", class: "changed", "data-says": "Orders may still come: not all messages were sent long enough ago.", "aria-label": `${name} is open` }, "…") : null)), ...cells(this.cube.all, at)),
        ...rows.slice(0, most).map(({ row }) => el("tr", { class: "deeper" },
          el("th", { scope: "row" }, el("div", { class: "row-name" }, named(this.nameOf(row)))), ...cells(row, at))),
        ...(rows.length > most ? [el("tr", { class: "deeper" }, el("th", { scope: "row" },
          el("button", { type: "button", class: "sort", "data-key": `all ${key}`, click: () => open(`all ${key}`) }, `Load ${rows.length - most} more segments`)),
        el("td", { colspan: metrics.length }))] : [])];
    });
    at("campaigns-table").replaceChildren(
      el("caption", { class: "sr" }, "Metrics of each campaign"),
      el("thead", {}, el("tr", {}, ...["Campaign", ...metrics.map((one) => one.name)].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, ...body));
    const left = Math.min(10, ranked.length - state.most);
    at("campaigns-more").replaceChildren(...(left > 0 ? [el("button", { type: "button", class: "more", "data-key": "more", click: () => more(10) }, `Load ${left} more`)]
      : ranked.length ? [] : ["No campaign has any of it in these months."]));
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
