// Tables and tiles, made of nodes and text alone.

/** @type {(id: string) => any} */
const at = (id) => document.getElementById(id);

/** An element; attributes that are null or false are left out. @type {(tag: string, attributes: Record<string, any>, ...children: Child[]) => HTMLElement} */
function el(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(name, String(value));
  }
  made.append(...children.filter((one) => one !== null));
  return made;
}

/** A button, by what it does and with what. @type {(does: string, value: string, attributes: Record<string, any>, ...children: Child[]) => HTMLElement} */
const buttonOf = (does, value, attributes, ...children) => el("button", { type: "button", "data-do": does, value, ...attributes }, ...children);

/** A name that may be in any script and direction. @type {(text: string) => HTMLElement} */
const named = (text) => el("bdi", { class: "name" }, text);

/** Something that explains itself when it is pointed at. @type {(kind: string, says: string, label: string | null, child: Child) => HTMLElement} */
const explained = (kind, says, label, child) => el("button", { type: "button", class: kind, "data-says": says, "aria-label": label }, child);

/** @type {(shownText: string, value: Value, kind: string) => HTMLElement} */
function cell(shownText, value, kind) {
  if (value === undefined) return el("td", { class: "number empty" });
  const isMissing = value === null;
  return el("td", { class: `number ${kind}`, "data-value": value ?? "", title: isMissing ? "not defined" : null },
    isMissing ? el("span", { "aria-label": "not defined" }, shownText) : shownText);
}

/** The name of a row, behind what opens it. @type {(...children: Child[]) => HTMLElement} */
const headed = (...children) => el("th", { scope: "row" }, el("div", { class: "row-name" }, ...children));

/** A button that opens rows below its own. @type {(label: string, key: string, open: Set<string>) => HTMLElement} */
const openerOf = (label, key, open) => buttonOf("open", key, { class: "opener", "aria-label": label, "aria-expanded": String(open.has(key)) });

/** @type {(id: string, caption: string, columns: Child[], rows: HTMLElement[]) => void} */
function fill(id, caption, columns, rows) {
  const heads = columns.map((one) => (one instanceof HTMLTableCellElement ? one : el("th", { scope: "col" }, el("span", {}, one))));
  at(id).replaceChildren(el("caption", { class: "sr" }, caption), el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
}

/** @type {(cube: Cube) => Tables} */
const tablesOf = (cube) => ({
  nameOf: (row) => cube.head.segments[row]?.name ?? cube.head.all,
  text: (metric, value) => shown(metric, value, cube.head.symbol),

  // With a bar below the number, as long as its share of the largest one.
  number(metric, value, largest = 0) {
    const found = cell(this.text(metric, value), value, "value");
    if (largest && value) found.style.setProperty("--share", String(Math.abs(value) / largest));
    return found;
  },

  heading(row, span, slot, opener = null) {
    const segment = cube.head.segments[row];
    const changed = monthsOf(span).filter((month) => segment?.changed.includes(month)).map((month) => cube.month(month));
    const [name, brief, rule] = [this.nameOf(row), segment?.brief ?? cube.head.all, segment ? segment.rule : "Everybody, once"];
    return headed(opener, el("span", { class: slot < 0 ? "swatch none" : `swatch series-${slot}`, "aria-hidden": "true" }),
      rule || name.length > 32 ? explained("explained", rule, brief === name ? null : name, named(brief)) : named(name),
      changed.length === 0 ? null : explained("changed", `Conditions changed in ${changed.join(", ")}. Read about the change before comparing.`,
        `Conditions of ${name} changed`, "!"));
  },
  // Metrics of a span beside those of another one; rows open to channels.
  metrics({ segments, metrics, charted, sort, isDown, open }, span, prior) {
    const sorted = metrics.find((one) => one.export === sort);
    const of = new Map(segments.map((row) => [row, sorted ? cube.seen(sorted, row, span) ?? -Infinity : 0]));
    const rows = segments.toSorted((a, b) => (of.get(a) === of.get(b) ? a - b : ((of.get(a) ?? 0) - (of.get(b) ?? 0)) * (isDown ? -1 : 1)));
    const largest = metrics.map((one) => Math.max(...rows.map((row) => Math.abs(cube.seen(one, row, span) ?? 0))));
    const columns = metrics.map((one) => el("th", {
      scope: "col", colspan: prior && 2, "aria-sort": one === sorted ? (isDown ? "descending" : "ascending") : null,
    }, buttonOf("sort", one.export, { class: "sort", "data-says": one.doc }, one.name)));
    const cells = (/** @type {Row} */ row, /** @type {string} */ key) => metrics.flatMap((one, place) => {
      const isCounted = !key || one.channels;
      const value = isCounted ? cube.seen(one, row, span, key) : undefined;
      const found = this.number(one, value, row === cube.all || key ? 0 : largest[place]);
      if (!prior) return [found];
      const changed = change(one, value, isCounted ? cube.seen(one, row, prior, key) : undefined);
      return [found, cell(changed.text, value === undefined ? value : changed.value, `change ${changed.tone}`)];
    });
    const hasChannels = cube.head.channels.length > 0 && metrics.some((one) => one.channels);
    fill("table", "Metrics of each segment", ["Segment", ...columns], [cube.all, ...rows].flatMap((row) => {
      const [name, key] = [this.nameOf(row), `row ${this.nameOf(row)}`];
      const opener = hasChannels ? openerOf(`Channels of ${name}`, key, open) : null;
      const channels = hasChannels && open.has(key) ? cube.head.channels : [];
      return [el("tr", { class: row === cube.all && "all" }, this.heading(row, span, charted.indexOf(row), opener), ...cells(row, "")),
        ...channels.map((channel, place) => el("tr", { class: "deeper" }, headed(named(channel)), ...cells(row, `c${place}`)))];
    }));
  },
  // One metric, month by month.
  months({ segments, metric, charted }, span) {
    const months = monthsOf(span);
    const columns = months.map((month) => cube.month(month) + (cube.isOpen(only(month)) ? ", so far" : ""));
    fill("table", `${metric.name} of each segment by month`, ["Segment", ...columns], [cube.all, ...segments].map((row) =>
      el("tr", { class: row === cube.all && "all" }, this.heading(row, span, charted.indexOf(row)),
        ...months.map((month) => this.number(metric, cube.seen(metric, row, only(month)))))));
  },
  // The campaigns with most of a metric by all customers, and on demand their segments.
  campaigns(by, { segments, open }, span, most) {
    const metrics = [by, ...cube.head.metrics.filter((one) => one.campaigns && one !== by)];
    const sorted = (/** @type {[Row, string][]} */ all) => all.map(([row, key]) => ({ row, key, value: cube.seen(by, row, span, key) ?? 0 }))
      .filter(({ value }) => value !== 0).sort((a, b) => b.value - a.value);
    const all = sorted(cube.head.campaigns.map((_, place) => [cube.all, `m${place}`]));
    const cells = (/** @type {Row} */ row, /** @type {string} */ key) => metrics.map((one, place) =>
      this.number(one, cube.seen(one, row, span, key), place || row !== cube.all ? 0 : Math.abs(all[0].value)));
    fill("campaigns-table", "Metrics of each campaign", ["Campaign", ...metrics.map((one) => one.name)], all.slice(0, most).flatMap(({ key }) => {
      const { name, open: months } = cube.head.campaigns[Number(key.slice(1))];
      const [its, more] = [`campaign ${name}`, `all campaign ${name}`];
      const isUnfinished = months.some((month) => span.first <= month && month <= span.last);
      const rows = open.has(its) ? sorted(segments.map((row) => [row, key])) : [];
      const left = open.has(more) ? 0 : Math.max(0, rows.length - 5);
      return [el("tr", {}, headed(openerOf(`Segments of ${name}`, its, open), named(name), isUnfinished ? explained("changed",
        "Orders may still come: not all messages were sent long enough ago.", `${name} is open`, "…") : null), ...cells(cube.all, key)),
      ...rows.slice(0, rows.length - left).map(({ row }) => el("tr", { class: "deeper" }, headed(named(this.nameOf(row))), ...cells(row, key))),
      ...(left ? [el("tr", { class: "deeper" }, el("th", { scope: "row" }, buttonOf("open", more, { class: "sort" }, `Load ${left} more segments`)),
        el("td", { colspan: metrics.length }))] : [])];
    }));
    const left = Math.min(10, all.length - most);
    at("campaigns-more").replaceChildren(...(left > 0 ? [buttonOf("more", "10", { class: "more" }, `Load ${left} more`)]
      : all.length ? [] : ["No campaign has any of it in these months."]));
  },
  // A metric in large letters.
  tile(label, metric, row, span, prior, spark) {
    const [now, before] = [cube.seen(metric, row, span), cube.seen(metric, row, prior)];
    const changed = change(metric, now, before);
    return el("div", { class: "tile" }, el("p", { class: "label", title: label }, named(label)), spark,
      el("p", { class: "large", "data-value": now ?? "" }, this.text(metric, now)),
      el("p", { class: "small" }, ...(prior ? [el("span", { class: changed.tone }, changed.text), ` from ${this.text(metric, before)}`] : ["no prior months"])));
  },
});
