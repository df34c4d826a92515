// The page: what is chosen, in the form and in the address, and what is drawn of it.

/** @type {(text: string) => void} */
const say = (text) => { at("live").textContent = text; };

/** @type {(children: Node[] | null, x?: number, y?: number) => void} */
function showTip(children, x = 0, y = 0) {
  const tip = at("tip");
  tip.hidden = children === null;
  tip.replaceChildren(...(children ?? []));
  tip.style.left = `${Math.max(8, Math.min(x + 8, innerWidth - tip.offsetWidth - 12))}px`;
  tip.style.top = `${Math.max(8, Math.min(y + 12, innerHeight - tip.offsetHeight - 12))}px`;
}

/** @type {(id: string) => Promise<Held>} */
async function unpacked(id) {
  const bytes = Uint8Array.from(atob(at(id).textContent), (letter) => letter.charCodeAt(0));
  const held = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  // Runs are written as differences from month to month.
  for (const run of [held.cells, held.cut ?? {}].flatMap((cells) => Object.values(cells).flatMap((one) => Object.values(one))).flatMap((rows) => rows ?? [])) {
    for (let at = 1; at < run.length && !Array.isArray(run[at]); at++) run[at] = plus(at > 1 ? run[at - 1] : 0, whole(run[at]));
  }
  return held;
}

async function start() {
  /** @type {Head} */ const head = JSON.parse(at("head").textContent);
  const held = await unpacked("cube-0");
  const cubes = new Map([[0, held]]);
  const cube = cubeOf(head, held);
  const tables = tablesOf(cube);
  const charts = chartsOf(JSON.parse(at("specs").textContent), cube, tables);
  const form = /** @type {HTMLFormElement} */ (at("controls"));
  const [byExport, rowOf] = [new Map(head.metrics.map((one) => [one.export, one])), new Map([[head.all, cube.all]])];
  head.segments.forEach(({ name }, row) => rowOf.set(name, row));
  const sparks = Array.from({ length: 4 }, () => el("div", { class: "spark", "aria-hidden": "true" }));
  const open = new Set();
  let most = 10;
  /** @type {(name: string) => any[]} */
  const inputs = (name) => [...form.elements].filter((one) => Reflect.get(one, "name") === name);

  /** What the form says. @type {() => State} */
  function read() {
    const said = new FormData(form);
    const one = (/** @type {string} */ name) => String(said.get(name) ?? "");
    const [first, last] = [Number(one("first")), Number(one("last"))].sort((a, b) => a - b);
    const segments = said.getAll("segment").map((name) => rowOf.get(String(name)) ?? 0);
    const charted = inputs("show").map(({ value }) => rowOf.get(value) ?? null)
      .map((row) => (row === cube.all || (row !== null && segments.includes(row)) ? row : null));
    inputs("show").forEach((input, slot) => { if (charted[slot] === null) input.value = ""; });
    const [way, sort] = one("sort").split(" ");
    const target = said.has("target") ? one("target") : head.views[0].target;
    return {
      mode: one("mode"), span: { first, last, cut: false }, compare: one("compare"), segments, charted, open,
      metrics: said.getAll("metric").flatMap((name) => byExport.get(String(name)) ?? []),
      metric: byExport.get(one("dynamic")) ?? head.metrics[0], chart: byExport.get(one("chart")) ?? head.metrics[0],
      beside: byExport.get(one("beside")), ranked: byExport.get(one("campaigns")), sort, isDown: way === "down",
      tab: at(`tab-${one("tab")}`) ? one("tab") : "report",
      view: head.views.findIndex((view) => view.brand === one("brand") && view.target === target),
    };
  }
  let state = read();

  /** All that is chosen, by the names of the form. */
  function chosen() {
    const said = new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, String(value)]));
    for (const name of ["segment", "metric"]) if (!said.has(name)) said.set(name, "");
    for (const key of open) said.append("open", key);
    return said;
  }
  const initial = chosen();

  /** Chooses what an address says, and of all else what the page began with. */
  function choose() {
    const said = new URLSearchParams(location.hash.slice(1));
    for (const name of new Set(initial.keys())) {
      const values = (said.has(name) ? said : initial).getAll(name);
      inputs(name).forEach((input, place) => {
        if (input.type === "checkbox") input.checked = values.includes(input.value);
        else if (input.type === "radio") input.checked ||= input.value === values[0];
        else if (input.type === "hidden") input.value = values[place] ?? "";
        else if ([...input.options].some(({ value }) => value === values[0])) input.value = values[0];
      });
    }
    open.clear();
    said.getAll("open").forEach((key) => open.add(key));
    return drawn();
  }

  /** Draws what is chosen; while the numbers of a brand or target action are unpacked, the old ones stay. */
  async function drawn() {
    state = read();
    const { view } = state;
    if (!cubes.has(view)) cubes.set(view, await unpacked(`cube-${view}`));
    if (view === state.view) [cube.view, cube.held] = [head.views[view], cubes.get(view) ?? held];
    draw();
  }

  /** The address names what is chosen otherwise than the page began with. */
  async function changed() {
    await drawn();
    const said = chosen();
    for (const name of new Set(said.keys())) if (String(said.getAll(name)) === String(initial.getAll(name))) said.delete(name);
    try { history.replaceState(null, "", `#${said}`); } catch { /* a page within another one has no address */ }
  }

  function drawReport() {
    const { span: now, mode, charted, segments, metrics, metric, chart, beside, compare } = state;
    const isDynamic = mode === "dynamics";
    const prior = cube.prior(now, compare);
    const rows = charted.flatMap((row, slot) => (row === null ? [] : [/** @type {[number, Row]} */ ([slot, row])]));
    const touched = segments.filter((row) => monthsOf(now).some((month) => head.segments[row].changed.includes(month)));
    const notices = [
      touched.length ? `Conditions of ${touched.map(tables.nameOf).join(", ")} changed during these months. Read about the change before comparing.` : "",
      cube.isOpen(now) ? `${cube.month(now.last)} is not over: it is counted up to ${head.asOf}${prior ? ", what it is compared with up to the same day" : ""}.` : "",
      compare !== "nothing" && !prior ? `There are no prior months to compare with: the page begins with ${cube.month(cube.first)}.` : "",
    ];
    at("notices").replaceChildren(...notices.filter(Boolean).map((text) => el("p", { class: "notice" }, text)));
    const tiles = isDynamic
      ? [...new Set([cube.all, ...rows.map(([, row]) => row)])].map((row) => ({ label: tables.nameOf(row), of: metric, row }))
      : metrics.map((of) => ({ label: of.name, of, row: cube.all }));
    tiles.splice(sparks.length);
    at("tiles").replaceChildren(...tiles.map(({ label, of, row }, place) => tables.tile(label, of, row, now, prior, sparks[place])));
    tiles.forEach(({ of, row }, place) => charts.sparkline(sparks[place], of, row, now.last));
    const months = cube.months(now);
    at("chart-title").textContent = isDynamic ? `${metric.name} by month` : chart.name + (beside ? ` and ${beside.name}` : "");
    at("legend").replaceChildren(...(isDynamic || beside || !prior ? [months] : [
      el("span", { class: "key now" }), months, el("span", { class: "key prior" }), cube.months(prior)]));
    [at("empty").hidden, at("plots").hidden] = [rows.length > 0, rows.length === 0];
    at("plot-2").hidden = isDynamic || !beside;
    at("plot").setAttribute("aria-label", `${at("chart-title").textContent}, ${months}, of ${rows.map(([, row]) => tables.nameOf(row)).join(", ")}. All numbers are in the table below.`);
    at("plot").tabIndex = isDynamic ? 0 : -1;
    at("plot").onpointermove = at("plot").onkeydown = null;
    if (rows.length && isDynamic) charts.lines(at("plot"), metric, rows, now);
    else if (rows.length) charts.bars(at("plot"), chart, rows, now, beside ? null : prior, true);
    if (rows.length && !isDynamic && beside) charts.bars(at("plot-2"), beside, rows, now, null, innerWidth <= 760);
    at("table-title").textContent = isDynamic ? `${metric.name} by month` : "Metrics";
    if (state.ranked) tables.campaigns(state.ranked, state, now, most);
    if (!isDynamic) return tables.metrics(state, now, prior);
    tables.months(state, now);
    at("table-scroller").scrollLeft = at("table-scroller").scrollWidth;
  }

  function drawMap() {
    const moves = /** @type {Moves} */ (head.moves);
    const none = moves.segments.length;
    const month = Math.max(cube.first + 1, state.span.last);
    const counts = held.moves?.[month - cube.first - 1] ?? [];
    at("map-months").textContent = `Where customers were at the end of ${cube.month(month - 1)} and of ${cube.month(month)}${
      month === cube.end && head.partial ? `, up to ${head.asOf}` : ""}.`;
    charts.flows(at("flows"), moves, counts);
    const shownTo = counts.some((line) => line[none] > 0) ? none + 1 : none;
    const largest = Math.max(1, ...counts.flatMap((line, from) => line.filter((_, to) => from !== to)));
    const columns = ["From ↓ to →", ...[...moves.segments, "In no segment"].slice(0, shownTo), "Stayed"];
    fill("map-table", "Who moved where", columns, [...moves.segments, "New customers"].map((name, from) => {
      const all = counts[from].reduce((sum, size) => sum + size, 0);
      const stayed = from === none || !all ? null : counts[from][from] / all;
      return el("tr", {}, el("th", { scope: "row" }, named(name)), ...counts[from].slice(0, shownTo).map((size, to) => {
        const kind = from === to && from < none ? "stayed" : size ? `level-${Math.round(Math.sqrt(size / largest) * 8)}` : "";
        return el("td", { class: `heat ${kind}`, "data-value": size }, size || kind ? digits(size, 0) : "");
      }), el("td", { class: "heat plain", "data-value": stayed ?? "" }, stayed === null ? "" : `${digits(stayed * 100, 1)}%`));
    }));
  }

  function draw() {
    const focused = /** @type {HTMLButtonElement | null} */ (document.activeElement);
    const [does, its] = [focused?.dataset.do, focused?.value];
    const { mode, span, segments, metrics, metric, charted, tab } = state;
    const isDynamic = mode === "dynamics";
    const ofAll = `${segments.length} of ${head.segments.length}`;
    at("shown-period").textContent = cube.months(span);
    at("shown-segments").textContent = ofAll;
    at("shown-charted").textContent = `${charted.filter((row) => row !== null).length} in the chart`;
    at("shown-metrics").textContent = isDynamic ? metric.name : `${metrics.length} of ${head.metrics.length}`;
    at("printed").textContent = `${cube.months(span)} · ${mode} · ${ofAll} segments`;
    form.querySelectorAll("button.show").forEach((button) => {
      const slot = charted.indexOf(rowOf.get(/** @type {HTMLButtonElement} */ (button).value) ?? -1);
      button.setAttribute("aria-pressed", String(slot >= 0));
      button.className = `show ${slot < 0 ? "" : `series-${slot}`}`;
    });
    document.querySelectorAll("[role=tab]").forEach((one) => {
      const isOpen = one.id === `tab-${tab}`;
      one.setAttribute("aria-selected", String(isOpen));
      one.setAttribute("tabindex", isOpen ? "0" : "-1");
      at(String(one.getAttribute("aria-controls"))).hidden = !isOpen;
    });
    if (tab === "report") drawReport();
    else if (tab === "map") drawMap();
    if (does) /** @type {any} */ (document.querySelector(`[data-do="${does}"][value="${CSS.escape(its ?? "")}"]`))?.focus();
  }

  /** What buttons do, by their `data-do`. @type {Record<string, (value: string, button: HTMLElement) => unknown>} */
  const actions = {
    open: (key) => open.delete(key) || open.add(key),
    more: (by) => { most += Number(by); },
    tab: (tab) => { inputs("tab")[0].value = tab; },
    // Downwards, upwards, not at all.
    sort: (name) => { inputs("sort")[0].value = state.sort !== name ? `down ${name}` : state.isDown ? `up ${name}` : ""; },
    months: (span) => { [at("first").value, at("last").value] = span.split(" "); },
    show(name) {
      const slots = inputs("show");
      const slot = slots.find((one) => one.value === name) ?? slots.find((one) => one.value === "");
      if (!slot) return say("Six segments at most are in the chart: take one out first.");
      slot.value = slot.value ? "" : name;
      inputs("segment").forEach((input) => { input.checked ||= slot.value === input.value; });
    },
    export(file) {
      const text = csv(cube, state.segments, state.span, cube.prior(state.span, state.compare), state.mode === "dynamics");
      const link = /** @type {HTMLAnchorElement} */ (el("a", { download: `${file}.csv`, href: URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" })) }));
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    },
    copy: () => navigator.clipboard.writeText(location.href).then(() => say("Link copied"), () => say("Copy the link from the address bar")),
  };
  document.addEventListener("click", (event) => {
    const button = /** @type {HTMLButtonElement | null} */ (/** @type {Element} */ (event.target).closest("[data-do]"));
    if (!button) return;
    actions[String(button.dataset.do)](button.value, button);
    changed();
  });
  document.addEventListener("change", (event) => {
    const box = /** @type {HTMLSelectElement} */ (event.target);
    if (box.form === form) changed();
    // Of tables beside each other, the one that is chosen.
    box.closest(".card")?.querySelectorAll("[data-of]").forEach((table) => { /** @type {any} */ (table).hidden = table.getAttribute("data-of") !== box.value; });
  });
  document.addEventListener("input", (event) => {
    const box = /** @type {HTMLInputElement} */ (event.target);
    if (box.type === "search") box.closest(".panel")?.querySelectorAll(".option").forEach((option) => {
      /** @type {HTMLElement} */ (option).hidden = !option.textContent?.toLowerCase().includes(box.value.toLowerCase());
    });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.querySelectorAll("[role=tab]").forEach((tab, place, all) => tab.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[/** @type {KeyboardEvent} */ (event).key];
    const next = /** @type {HTMLElement} */ (all[(place + (by ?? 0) + all.length) % all.length]);
    if (by) { next.click(); next.focus(); }
  }));
  for (const name of ["pointerover", "focusin", "click", "pointerout", "focusout"]) {
    document.addEventListener(name, (event) => {
      const from = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest?.("[data-says]"));
      const [box, says] = [from?.getBoundingClientRect(), from?.dataset.says];
      const tip = from && [el("p", { class: "tip-title" }, from.ariaLabel ?? from.textContent), ...(says ? [el("p", {}, says)] : [])];
      if (box) showTip(name.endsWith("out") ? null : tip, box.left, box.bottom);
    });
  }
  addEventListener("keydown", (event) => event.key === "Escape" && showTip(null));
  addEventListener("hashchange", choose);
  addEventListener("resize", draw);
  await choose();
  document.documentElement.dataset.ready = "";
}

start().catch((error) => { at("notices").replaceChildren(el("p", { class: "notice" }, `The page cannot be drawn: ${error.message}`)); throw error; });
