// The page: what is chosen, in the form and in the address, and what is drawn of it.

/** @param {string} text */
const say = (text) => { at("live").textContent = text; };

/** @param {Node[] | null} children @param {number} [x] @param {number} [y] */
function showTip(children, x = 0, y = 0) {
  const tip = at("tip");
  tip.hidden = children === null;
  if (children === null) return;
  tip.replaceChildren(...children);
  tip.style.left = `${Math.max(8, Math.min(x + 8, innerWidth - tip.offsetWidth - 12))}px`;
  tip.style.top = `${Math.max(8, Math.min(y + 12, innerHeight - tip.offsetHeight - 12))}px`;
}

/** @param {string} id @returns {any} */
const given = (id) => JSON.parse(at(id).textContent);

/** @param {string} id */
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(at(id).textContent), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
}

async function start() {
  /** @type {Head} */ const head = given("head");
  /** @type {Held} */ const held = await unpacked("cube-0");
  const cubes = new Map([[0, held]]);
  const cube = new Cube(head, held);
  const tables = new Tables(cube, (row) => state.charted.indexOf(row));
  const charts = new Charts(given("specs"), cube, tables);
  const form = /** @type {HTMLFormElement} */ (at("controls"));
  const lastMonth = cube.first + head.months.length - 1;
  const byExport = new Map(head.metrics.map((one) => [one.export, one]));
  /** @type {State} */
  const state = {
    mode: "comparison", first: head.first, last: head.last, compare: head.compare ?? "nothing", segments: [], charted: [],
    metrics: [], metric: head.metrics[0], chart: head.metrics[0], beside: null, tab: "report", sort: "", down: true,
    view: 0, open: new Set(), ranked: undefined, most: 10,
  };
  const sparks = Array.from({ length: 4 }, () => el("div", { class: "spark", "aria-hidden": "true" }));
  const span = () => ({ first: state.first, last: state.last, cut: false });
  /** @param {string} name @returns {any[]} */
  const inputs = (name) => [...form.elements].filter((one) => Reflect.get(one, "name") === name);

  /** What the form says, as far as it makes sense. */
  function read() {
    const said = new FormData(form);
    const one = (/** @type {string} */ name) => String(said.get(name) ?? "");
    state.mode = one("mode");
    [state.first, state.last] = [Number(one("first")), Number(one("last"))].sort((a, b) => a - b);
    state.compare = one("compare");
    state.segments = said.getAll("segment").map(Number);
    state.metrics = said.getAll("metric").flatMap((name) => byExport.get(String(name)) ?? []);
    state.metric = byExport.get(one("dynamic")) ?? head.metrics[0];
    state.chart = byExport.get(one("chart")) ?? head.metrics[0];
    state.beside = byExport.get(one("beside")) ?? null;
    state.ranked = byExport.get(one("campaigns"));
    const [brand, target] = [one("brand"), said.has("target") ? one("target") : head.views[0].target];
    state.view = head.views.findIndex((view) => view.brand === brand && view.target === target);
    state.charted = state.charted.map((row) => row === cube.all || (row !== null && state.segments.includes(row)) ? row : null);
  }

  /** What is chosen, as an address that is short where little is. */
  const written = () => {
    const said = new URLSearchParams();
    for (const name of ["mode", "first", "last", "compare", "dynamic", "chart", "beside"]) said.set(name, String(new FormData(form).get(name) ?? ""));
    for (const name of ["brand", "target", "campaigns"]) {
      const value = String(new FormData(form).get(name) ?? "");
      if (value && inputs(name)[0].selectedIndex) said.set(name, value);
    }
    if (state.tab !== "report") said.set("tab", state.tab);
    for (const key of state.open) said.append("open", key);
    for (const row of state.segments) said.append("segment", head.segments[row].name);
    for (const metric of state.metrics) said.append("metric", metric.export);
    state.charted.forEach((row, slot) => row !== null && said.append("show", `${slot} ${tables.nameOf(row)}`));
    if (state.sort) said.set("sort", `${state.down ? "down" : "up"} ${state.sort}`);
    return said;
  };

  /** Chooses what an address says; what it names and nobody knows is left out. @param {string} hash */
  function choose(hash) {
    const said = new URLSearchParams(hash.replace(/^#/, ""));
    const names = new Map([...head.segments.map((one, row) => /** @type {[string, Row]} */ ([one.name, row])), [head.all, cube.all]]);
    for (const name of ["mode", "first", "last", "compare", "dynamic", "chart", "beside", "brand", "target", "campaigns"]) {
      const value = said.get(name);
      for (const input of value === null ? [] : inputs(name)) {
        if (input.type === "radio") input.checked = input.value === value || (input.checked && !inputs(name).some((other) => other.value === value));
        else if ([...input.options].some((option) => option.value === value)) input.value = value;
      }
    }
    if (said.has("mode")) {
      const chosen = new Set(said.getAll("segment").map((name) => names.get(name)));
      inputs("segment").forEach((input) => { input.checked = chosen.has(Number(input.value)); });
      inputs("metric").forEach((input) => { input.checked = said.getAll("metric").includes(input.value); });
    }
    read();
    const [way, ...sort] = (said.get("sort") ?? "").split(" ");
    [state.sort, state.down] = [byExport.has(sort.join(" ")) ? sort.join(" ") : "", way !== "up"];
    state.open = new Set(said.getAll("open"));
    if (at(`tab-${said.get("tab")}`)) state.tab = String(said.get("tab"));
    state.charted = Array(6).fill(null);
    const revenue = (/** @type {Row} */ row) => cube.value(head.metrics[0], row, span()) ?? 0;
    const best = state.segments.filter((row) => revenue(row) > 0).sort((a, b) => revenue(b) - revenue(a)).slice(0, 5).sort((a, b) => a - b);
    best.forEach((row, slot) => { if (!said.has("mode")) state.charted[slot] = row; });
    for (const text of said.getAll("show")) {
      const row = names.get(text.slice(2));
      if (/^[0-5] /.test(text) && row !== undefined) state.charted[Number(text[0])] = row;
    }
    read();
  }

  /** @param {Row} row */
  function toggle(row) {
    const [slot, free] = [state.charted.indexOf(row), state.charted.indexOf(null)];
    if (slot < 0 && free < 0) return say("Six segments at most are in the chart: take one out first.");
    state.charted[slot < 0 ? free : slot] = slot < 0 ? row : null;
    inputs("segment").forEach((input) => { if (slot < 0 && Number(input.value) === row) input.checked = true; });
    return changed();
  }

  /** Chooses the numbers of a brand and target action; those shown stay until they are there. */
  async function look() {
    const { view } = state;
    if (!cubes.has(view)) cubes.set(view, await unpacked(`cube-${view}`));
    if (view === state.view) [cube.view, cube.held] = [head.views[view], /** @type {Held} */ (cubes.get(view))];
  }

  /** @param {string} key */
  function open(key) {
    if (!state.open.delete(key)) state.open.add(key);
    changed();
  }

  async function changed() {
    read();
    if (cube.view !== head.views[state.view]) await look();
    draw();
    try { history.replaceState(null, "", `#${written()}`); } catch { /* a page within another one has no address */ }
  }

  /** Downwards, upwards, not at all. @param {string} name */
  function sort(name) {
    const isUp = state.sort === name && !state.down;
    [state.down, state.sort] = [state.sort !== name || !state.down, isUp ? "" : name];
    changed();
  }

  function drawReport() {
    const [now, isDynamic] = [span(), state.mode === "dynamics"];
    const prior = cube.prior(now, state.compare);
    const rows = state.charted.flatMap((row, slot) => row === null ? [] : [/** @type {[number, Row]} */ ([slot, row])]);
    const shownMetrics = isDynamic ? [state.metric] : state.metrics;
    const touched = state.segments.filter((row) => head.segments[row].changed.some((month) => now.first <= month && month <= now.last));
    const notices = [
      touched.length ? `Conditions of ${touched.map((row) => tables.nameOf(row)).join(", ")} changed during these months. Read about the change before comparing.` : "",
      cube.isOpen(now) ? `${monthName(now.last)} is not over: it is counted up to ${cube.days(now)[1]}${prior ? ", what it is compared with up to the same day" : ""}.` : "",
      state.compare !== "nothing" && !prior ? `There are no prior months to compare with: the page begins with ${monthName(cube.first)}.` : "",
      state.segments.length ? "" : "No segment is chosen: choose some under Segments.",
      shownMetrics.length ? "" : "No metric is chosen: choose some under Metrics.",
    ];
    at("notices").replaceChildren(...notices.filter(Boolean).map((text) => el("p", { class: "notice" }, text)));
    const tiles = isDynamic
      ? [...new Set([cube.all, ...rows.map(([, row]) => row)])].map((row) => ({ label: tables.nameOf(row), metric: state.metric, row }))
      : state.metrics.map((metric) => ({ label: metric.name, metric, row: cube.all }));
    tiles.splice(sparks.length);
    at("tiles").replaceChildren(...tiles.map(({ label, metric, row }, place) =>
      tables.tile(label, metric, row, now, prior, sparks[place])));
    tiles.forEach(({ metric, row }, place) => charts.sparkline(sparks[place], metric, row, now.last));
    const metric = isDynamic ? state.metric : state.chart;
    const months = spanName(now.first, now.last);
    const beside = state.beside ? ` and ${state.beside.name}` : "";
    at("chart-title").textContent = metric.name + (isDynamic ? " by month" : beside);
    at("beside").hidden = at("chart-metric").hidden = isDynamic;
    at("legend").replaceChildren(...(isDynamic || beside || !prior ? [months] : [
      el("span", { class: "key now" }), months, el("span", { class: "key prior" }), spanName(prior.first, prior.last)]));
    at("empty").hidden = rows.length > 0;
    at("plots").hidden = rows.length === 0;
    at("plot-2").hidden = isDynamic || !state.beside;
    at("plot").setAttribute("aria-label", `${at("chart-title").textContent}, ${months}, of ${rows.map(([, row]) => tables.nameOf(row)).join(", ")}. All numbers are in the table below.`);
    at("plot").tabIndex = isDynamic ? 0 : -1;
    at("plot").onpointermove = at("plot").onkeydown = null;
    if (rows.length && isDynamic) charts.lines(at("plot"), metric, rows, now);
    else if (rows.length) {
      charts.bars(at("plot"), metric, rows, now, state.beside ? null : prior, true);
      if (state.beside) charts.bars(at("plot-2"), state.beside, rows, now, null, innerWidth <= 760);
    }
    at("table-title").textContent = isDynamic ? `${metric.name} by month` : "Metrics";
    const isByChannel = !isDynamic && state.open.size > 0 && head.channels.length > 0;
    at("table-hint").textContent = `Dotted names say what is in a segment${!isDynamic && head.channels.length ? "; arrows open its channels" : ""}.${isByChannel ? " Channel rows show channel metrics only." : ""}`;
    if (state.ranked) tables.campaigns(state, now, open, (by) => { state.most += by; draw(); });
    if (!isDynamic) return tables.metrics(state, now, prior, sort, open);
    tables.months(state, now);
    at("table-scroller").scrollLeft = at("table-scroller").scrollWidth;
  }

  function drawMap() {
    const { segments, ranks } = /** @type {{ segments: string[], ranks: number[] }} */ (head.moves);
    const month = Math.max(cube.first + 1, state.last);
    const counts = held.moves?.[month - cube.first - 1] ?? [];
    at("map-note").textContent = `Where customers were at the end of ${monthName(month - 1)} and of ${monthName(month)}${month === lastMonth && head.partial ? `, up to ${head.asOf}` : ""}. Grey: stayed. Green: moved up. Orange: moved down. Blue: new.`;
    charts.flows(at("flows"), segments, ranks, counts);
    const isLost = counts.some((line) => line[segments.length] > 0);
    const largest = Math.max(1, ...counts.flatMap((line, from) => line.filter((_, to) => from !== to)));
    const everyone = [...segments, "New customers"];
    const columns = ["From ↓ to →", ...segments, ...(isLost ? ["In no segment"] : []), "Stayed"];
    tables.heat(at("map-table"), "Who moved where", columns, everyone.map((name, from) => {
      const all = counts[from].reduce((a, b) => a + b, 0);
      const stayed = from === segments.length || !all ? null : counts[from][from] / all;
      const cells = counts[from].slice(0, isLost ? undefined : -1).map((size, to) => from === to && from < segments.length
        ? { text: digits(size, 0), value: size, level: -1, kind: "stayed" }
        : { text: size ? digits(size, 0) : "", value: size, level: size ? Math.sqrt(size / largest) : -1, kind: "" });
      const text = stayed === null ? "" : `${digits(stayed * 100, 1)}%`;
      return { name, cells: [...cells, { text, value: stayed, level: -1, kind: "plain" }] };
    }));
  }

  /** @param {string} unit @param {number | null} value */
  const inUnit = (unit, value) => shown({ ...head.metrics[0], unit, counts: unit === "customers" }, value, head.symbol);

  function drawGrid() {
    const { rows, columns, names, values, units } = /** @type {Table} */ (head.grid);
    const name = at("grid-value").value;
    const largest = Math.max(1e-9, ...values[name].flat().map((value) => value ?? 0));
    tables.heat(at("grid-table"), name, ["Frequency", ...columns], rows.map((row, y) => ({ name: row, cells: columns.map((_, x) => ({
      text: inUnit(units[name], values[name][y][x]), value: values[name][y][x], note: names[y][x], kind: "large",
      level: (values[name][y][x] ?? 0) / largest })) })));
  }

  function drawCohorts() {
    const { months, sizes, values, units } = /** @type {CohortTable} */ (head.cohorts);
    const name = at("cohort-value").value;
    const largest = Math.max(1e-9, ...values[name].flat().map((value) => value ?? 0));
    const text = (/** @type {number} */ value) =>
      units[name] === "share" ? `${digits(value * 100, 0)}%` : inUnit(units[name], value);
    // Months of which no cohort knows anything yet have no column.
    const known = Math.max(...values[name].map((line) => line.findLastIndex((value) => value !== null) + 1));
    const columns = ["First order in", "Buyers", ...Array.from({ length: known }, (_, by) => String(by + 1))];
    tables.heat(at("cohort-table"), name, columns, months.map((month, y) => ({ name: monthName(month), cells: [
      { text: sizes[y] === null ? NONE : digits(sizes[y], 0), value: sizes[y], level: -1, kind: "plain" },
      ...values[name][y].slice(0, known).map((value) => value === null
        ? { text: "", value, level: -1, kind: "none" } : { text: text(value), value, level: value / largest })] })));
  }

  /** @type {Record<string, () => void>} */
  const tabs = { report: drawReport, map: drawMap, rfm: drawGrid, cohorts: drawCohorts };

  function draw() {
    const key = Reflect.get(document.activeElement ?? {}, "dataset")?.key;
    const months = spanName(state.first, state.last);
    const isDynamic = state.mode === "dynamics";
    at("shown-period").textContent = months;
    at("shown-segments").textContent = `${state.segments.length} of ${head.segments.length}`;
    at("shown-charted").textContent = `${state.charted.filter((row) => row !== null).length} in the chart`;
    at("shown-metrics").textContent = isDynamic ? state.metric.name : `${state.metrics.length} of ${head.metrics.length}`;
    [at("many-metrics").hidden, at("one-metric").hidden] = [isDynamic, !isDynamic];
    at("printed").textContent = `${months} · ${state.mode} · ${state.segments.length} of ${head.segments.length} segments`;
    form.querySelectorAll(".show").forEach((button) => {
      const slot = state.charted.indexOf(Number(/** @type {HTMLElement} */ (button).dataset.row));
      button.setAttribute("aria-pressed", String(slot >= 0));
      button.className = `show ${slot < 0 ? "" : `series-${slot}`}`;
    });
    for (const name of Object.keys(tabs).filter((one) => at(`tab-${one}`))) {
      const isOpen = name === state.tab;
      at(`tab-${name}`).setAttribute("aria-selected", String(isOpen));
      at(`tab-${name}`).tabIndex = isOpen ? 0 : -1;
      at(name).hidden = !isOpen;
    }
    tabs[state.tab]();
    if (key) /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${CSS.escape(key)}"]`))?.focus();
  }

  function save() {
    const now = span();
    const text = csv(cube, state.segments, now, cube.prior(now, state.compare), state.mode === "dynamics");
    const link = /** @type {HTMLAnchorElement} */ (el("a", { download: `${at("export").dataset.file}.csv`, href: URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" })) }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  document.addEventListener("change", (event) => { if (Reflect.get(event.target ?? {}, "form") === form) changed(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  at("export").addEventListener("click", save);
  at("copy").addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(location.href); say("Link copied"); } catch { say("Copy the link from the address bar"); }
  });
  form.querySelectorAll(".show").forEach((button) => button.addEventListener("click", () => toggle(Number(/** @type {HTMLElement} */ (button).dataset.row))));
  form.querySelectorAll("[data-months]").forEach((button) => button.addEventListener("click", () => {
    const [first, last] = String(/** @type {HTMLElement} */ (button).dataset.months).split(" ");
    [at("first").value, at("last").value] = [first, last];
    changed();
  }));
  form.querySelectorAll("input[type=search]").forEach((input) => input.addEventListener("input", () => {
    const wanted = /** @type {HTMLInputElement} */ (input).value.toLowerCase();
    input.closest(".panel")?.querySelectorAll(".option").forEach((option) => { /** @type {HTMLElement} */ (option).hidden = !option.textContent?.toLowerCase().includes(wanted); });
  }));
  ["grid-value", "cohort-value"].forEach((id) => at(id)?.addEventListener("change", draw));
  document.querySelectorAll("[role=tab]").forEach((tab, place, all) => {
    tab.addEventListener("click", () => { state.tab = tab.id.replace("tab-", ""); changed(); });
    tab.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[/** @type {KeyboardEvent} */ (event).key];
      const next = /** @type {HTMLElement} */ (all[(place + (by ?? 0) + all.length) % all.length]);
      if (by) { next.click(); next.focus(); }
    });
  });
  form.querySelectorAll(".panel").forEach((panel) => panel.addEventListener("toggle", () => {
    const box = document.querySelector(`[popovertarget="${panel.id}"]`)?.getBoundingClientRect();
    if (!box) return;
    const { style, offsetWidth } = /** @type {HTMLElement} */ (panel);
    const top = Math.max(8, Math.min(box.bottom + 6, innerHeight - 320)); // with room for a list
    [style.top, style.left] = [`${top}px`, `${Math.max(8, Math.min(box.left, innerWidth - offsetWidth - 8))}px`];
    style.maxHeight = `${Math.min(620, innerHeight - top - 8)}px`;
  }));
  for (const [name, isOpening] of /** @type {[string, boolean][]} */ ([["pointerover", true], ["focusin", true], ["click", true], ["pointerout", false], ["focusout", false]])) {
    document.addEventListener(name, (event) => {
      const from = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest?.("[data-says]"));
      const box = from?.getBoundingClientRect();
      const says = from?.dataset.says;
      if (from && box) showTip(isOpening ? [el("p", { class: "tip-title" }, from.textContent), ...(says ? [el("p", {}, says)] : [])] : null, box.left, box.bottom);
    });
  }
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") showTip(null); });
  addEventListener("hashchange", async () => { choose(location.hash); await look(); draw(); });
  let width = innerWidth;
  addEventListener("resize", () => { if (width !== innerWidth) { width = innerWidth; draw(); } });
  choose(location.hash);
  await look();
  draw();
  document.documentElement.dataset.ready = "";
}

start().catch((error) => { at("notices").replaceChildren(el("p", { class: "notice" }, `The page cannot be drawn: ${error.message}`)); throw error; });
