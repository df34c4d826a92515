// From amounts that add up to metrics, exact until the last division; what a metric is, is data.

/** An integer, as a number where that is exact. @type {(value: Amount | string) => Amount} */
const whole = (value) => (Number.isSafeInteger(Number(value)) ? Number(value) : BigInt(value));

/** @type {Calculation<Amount>} */
function times(a, b) {
  const product = typeof a === "number" && typeof b === "number" ? a * b + 0 : NaN; // + 0: not -0
  return Number.isSafeInteger(product) ? product : BigInt(a) * BigInt(b);
}

/** @type {Calculation<Amount>} */
function plus(a, b) {
  const sum = typeof a === "number" && typeof b === "number" ? a + b : NaN;
  return Number.isSafeInteger(sum) ? sum : BigInt(a) + BigInt(b);
}

/** Divides, and rounds once. @type {Calculation<number | null>} */
function quotient(a, b) {
  if (b == 0) return null;
  if (typeof a === "number" && typeof b === "number") return a / b;
  // No number halfway between two floats has as many digits; one more says whether anything is left.
  const [above, below] = [BigInt(a), BigInt(b)];
  const shift = BigInt(Math.max(0, 800 + String(below).length - String(above).length));
  const scaled = above * 10n ** shift;
  const value = Number(`${scaled / below}${scaled % below === 0n ? 0 : 1}e-${shift + 1n}`);
  return (a < 0) !== (b < 0) ? -Math.abs(value) : value;
}

/** A month of a run, which begins with the place of its first one. @type {(run: any[], month: number) => Amount} */
const amountOf = (run, month) => (month >= run[0] ? run[month - run[0] + 1] ?? 0 : 0);

/** @type {(month: number) => Span} */
const only = (month) => ({ first: month, last: month, cut: false });

/** @type {(span: Span) => number[]} */
const monthsOf = (span) => Array.from({ length: span.last - span.first + 1 }, (_, by) => span.first + by);

/** @type {(head: Head, held: Held) => Cube} */
const cubeOf = (head, held) => ({
  head,
  held,
  view: head.views[0],
  first: head.months[0].number,
  end: head.months[0].number + head.months.length - 1,
  all: head.segments.length,

  // A number of a row; null where it is not counted. By a key: of a channel or campaign, as far as
  // it is known by these.
  quantity(name, row, span, key = "") {
    if (name === "last day") return Date.parse(this.days(span)[1]) / 86_400_000;
    if (name in this.head.derived) {
      const terms = this.head.derived[name].map(([sign, names]) => this.product(names, row, span, sign, key));
      return terms.reduce((sum, term) => (sum === null || term === null ? null : plus(sum, term)), 0);
    }
    const { cells, cut } = this.held;
    if (!cells[""][name]) return null;
    const of = key && this.head.grains[name]?.includes(key[0]) ? key : "";
    const runs = [cells, (span.cut && cut) || cells].map((one) => one[of]?.[name]?.[row] ?? []);
    const [first, last] = [span.first - this.first, span.last - this.first];
    const over = this.head.over[name];
    let sum = over === "distinct" ? 0 : amountOf(runs[1], last);
    for (let at = first; over === "period" && at < last; at++) sum = plus(sum, amountOf(runs[0], at));
    for (let at = first; over === "distinct" && at <= last; at++) { // who came in a month, and in none of the span before it
      for (const count of (runs[at === last ? 1 : 0][at] ?? []).slice(0, first + 1)) sum += count;
    }
    return sum;
  },

  product(names, row, span, by, key) {
    for (const name of names) {
      const amount = this.quantity(name, row, span, key);
      if (amount === null) return null;
      by = times(by, amount);
    }
    return by;
  },
  // A metric of a row; null where it is undefined, undefined where it is not counted.
  value(metric, row, span, key = "") {
    if (span === null) return null;
    const above = this.product(metric.above, row, span, whole(metric.scale[0]), key);
    const below = this.product(metric.below, metric.ofAll ? this.all : row, span, whole(metric.scale[1]), key);
    if (above === null || below === null) return undefined;
    const value = quotient(whole(above), whole(below));
    return value === null || !Number.isFinite(value) ? null : value;
  },
  // The same, where it may be shown: not of rows with too few customers.
  seen(metric, row, span, key = "") {
    const customers = this.head.minCustomers && span && row !== this.all ? this.quantity("customers", row, span) : null;
    return customers !== null && customers < this.head.minCustomers ? null : this.value(metric, row, span, key);
  },
  // The months to compare with, null where they are not all known.
  prior(span, compare) {
    const by = compare === "previous_year" ? 12 : span.last - span.first + 1;
    const cut = this.isOpen(span);
    if (compare === "nothing" || span.first - by < this.first || (cut && !this.held.cut)) return null;
    return { first: span.first - by, last: span.last - by, cut };
  },
  // Whether the last month of a span is not over.
  isOpen(span) { return this.head.partial && span.last === this.end; },

  // The first and the last day.
  days(span) {
    const [begin, end] = [span.first, span.last].map((month) => this.head.months[month - this.first]);
    return [begin.start, (span.cut && end.cut) || end.end];
  },

  month(number) { return this.head.months[number - this.first]?.name; },
  months({ first, last }) {
    const isOneYear = this.month(first).slice(-4) === this.month(last).slice(-4);
    const begin = isOneYear ? this.month(first).slice(0, 3) : this.month(first);
    return first === last ? this.month(first) : `${begin} – ${this.month(last)}`;
  },
});
