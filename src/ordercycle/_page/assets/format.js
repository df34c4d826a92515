// Numbers as people and files read them: the same in every browser.

const NONE = "–";
/** To make a format takes far longer than to use it. */
const FORMATS = [0, 1, 2].map((size) =>
  new Intl.NumberFormat("en-US", { minimumFractionDigits: size, maximumFractionDigits: size }));
const COMPACT = new Intl.NumberFormat("en-US", { notation: "compact", minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** With so many digits behind the point. @type {(value: number, size: number) => string} */
const digits = (value, size) => FORMATS[size].format(value === 0 ? 0 : value);

/** A value in full. @type {(metric: Unit, value: number | null | undefined, symbol: string) => string} */
function shown({ unit, counts }, value, symbol) {
  if (value == null) return value === null ? NONE : "";
  const [size, sign] = [Math.abs(value), value < 0 ? "−" : ""];
  if (unit === "share") return `${sign}${digits(size * 100, 1)}%`;
  if (unit === "currency") return sign + symbol + digits(size, size === 0 || size >= 1000 ? 0 : 2);
  return sign + digits(size, unit === "days" ? 1 : counts && Number.isInteger(size) ? 0 : 2);
}

/** A value in few letters, for charts. @type {(metric: Unit, value: number | null, symbol: string) => string} */
function short(metric, value, symbol) {
  if (value === null || metric.unit === "share" || Math.abs(value) < 1000) return shown(metric, value, symbol);
  return (value < 0 ? "−" : "") + (metric.unit === "currency" ? symbol : "") + COMPACT.format(Math.abs(value));
}

/** What changed, in points for shares and else as a ratio. @type {(metric: Metric, now: Value, before: Value) => Change} */
function change(metric, now, before) {
  const isShare = metric.unit === "share";
  const value = now == null || before == null || (!isShare && before === 0) ? NaN : (now - before) / (isShare ? 1 : Math.abs(before));
  if (!Number.isFinite(value)) return { value: null, text: NONE, tone: "flat" };
  const text = `${digits(Math.abs(value) * 100, 1)}${isShare ? " pp" : "%"}`;
  if (Number.parseFloat(text) === 0) return { value, text, tone: "flat" };
  const better = value * metric.better;
  return { value, text: `${value > 0 ? "▲ +" : "▼ −"}${text}`, tone: better > 0 ? "good" : better < 0 ? "bad" : "flat" };
}

/** The shortest text that reads back as the same number, as Python writes it. @type {(value: number) => string} */
function exactText(value) {
  const [mantissa, power] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) return `${mantissa}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

/** The file of a span and, if any, of what it is compared with; or of each month of the span.
 * @type {(cube: Cube, segments: Row[], span: Span, prior: Span | null, isMonthly: boolean) => string} */
function csv(cube, segments, span, prior, isMonthly) {
  const { head } = cube;
  const text = (/** @type {Metric} */ metric, /** @type {Value} */ value) =>
    value == null ? "" : metric.counts && Number.isInteger(value) ? BigInt(value).toString() : exactText(value);
  const lines = [[...head.place, ...head.metrics.map((one) => one.export)]];
  for (const part of isMonthly ? monthsOf(span).map(only) : prior ? [span, prior] : [span]) {
    const days = isMonthly ? [...cube.days(span), cube.days(part)[0]] : [...cube.days(part), ""];
    for (const row of [...segments, cube.all]) {
      const name = head.segments[row]?.csv ?? head.all;
      lines.push([...days, cube.view.csv, name, "", "", "", ...head.metrics.map((one) => text(one, cube.value(one, row, part)))]);
    }
  }
  return lines.map((line) => `${line.join(",")}\n`).join("");
}
