// Numbers and months as people and files read them: the same in every browser.

const NONE = "–";
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** @param {number} month */
const monthName = (month) => `${MONTHS[month % 12]} ${Math.floor(month / 12)}`;

/** @param {number} first @param {number} last */
function spanName(first, last) {
  if (first === last) return monthName(first);
  const isOneYear = Math.floor(first / 12) === Math.floor(last / 12);
  return `${isOneYear ? MONTHS[first % 12] : monthName(first)} – ${monthName(last)}`;
}

/** To make a format takes far longer than to use it. */
const FORMATS = [0, 1, 2].map((size) =>
  new Intl.NumberFormat("en-US", { minimumFractionDigits: size, maximumFractionDigits: size }));
const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

/** @param {number} value @param {number} size how many digits behind the point */
const digits = (value, size) => FORMATS[size].format(value === 0 ? 0 : value);

/** @param {number} value @param {string} text */
const signed = (value, text) => (value < 0 ? `−${text}` : text);

/** A value in full. @param {Metric} metric @param {number | null | undefined} value @param {string} symbol */
function shown(metric, value, symbol) {
  if (value === undefined) return "";
  if (value === null) return NONE;
  const size = Math.abs(value);
  switch (metric.unit) {
    case "share": return signed(value, `${digits(size * 100, 1)}%`);
    case "currency": return signed(value, symbol + digits(size, size === 0 || size >= 1000 ? 0 : 2));
    case "days": return signed(value, digits(size, 1));
    default: return signed(value, digits(size, metric.counts && Number.isInteger(size) ? 0 : 2));
  }
}

/** A value in few letters, for charts. @param {Metric} metric @param {number | null} value @param {string} symbol */
function short(metric, value, symbol) {
  if (value === null || metric.unit === "share" || Math.abs(value) < 1000) return shown(metric, value, symbol);
  const text = COMPACT.format(Math.abs(value));
  return signed(value, (metric.unit === "currency" ? symbol : "") + text);
}

/** What changed, in points for shares and else as a ratio.
 * @param {Metric} metric @param {number | null | undefined} now @param {number | null | undefined} before
 * @returns {{ value: number | null, text: string, tone: Tone }} */
function change(metric, now, before) {
  if (now == null || before == null || (metric.unit !== "share" && before === 0)) return { value: null, text: NONE, tone: "flat" };
  const value = metric.unit === "share" ? now - before : (now - before) / Math.abs(before);
  if (!Number.isFinite(value)) return { value: null, text: NONE, tone: "flat" };
  const text = `${digits(Math.abs(value) * 100, 1)}${metric.unit === "share" ? " pp" : "%"}`;
  if (Number.parseFloat(text) === 0) return { value, text, tone: "flat" };
  const better = value * metric.better;
  return { value, text: `${value > 0 ? "▲ +" : "▼ −"}${text}`, tone: better > 0 ? "good" : better < 0 ? "bad" : "flat" };
}

/** The shortest text that reads back as the same number, as Python writes it. @param {number} value */
function exactText(value) {
  if (Object.is(value, -0)) return "-0.0";
  const [mantissa, power] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const text = exponent < 0 && value !== 0
    ? (value < 0 ? "-0." : "0.") + "0".repeat(-exponent - 1) + mantissa.replace(/[-.]/g, "")
    : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

/** The file of a span and, if any, of what it is compared with; or of each month of the span.
 * @param {Cube} cube @param {number[]} segments @param {Span} span @param {Span | null} prior @param {boolean} isMonthly */
function csv(cube, segments, span, prior, isMonthly) {
  const { head } = cube;
  const text = (/** @type {Metric} */ metric, /** @type {number | null | undefined} */ value) =>
    value == null ? "" : metric.counts && Number.isInteger(value) ? BigInt(value).toString() : exactText(value);
  const lines = [[...head.place, ...head.metrics.map((one) => one.export)].join(",")];
  const parts = isMonthly
    ? monthsOf(span).map(only)
    : prior ? [span, prior] : [span];
  for (const part of parts) {
    const ends = cube.days(isMonthly ? span : part);
    const day = isMonthly ? cube.days(part)[0] : "";
    for (const row of [...segments, cube.all]) {
      const name = row === cube.all ? head.all : head.segments[row].csv;
      lines.push([...ends, day, cube.view.csv, name, "", "", "", ...head.metrics.map((one) => text(one, cube.value(one, row, part)))].join(","));
    }
  }
  return lines.join("\n") + "\n";
}
