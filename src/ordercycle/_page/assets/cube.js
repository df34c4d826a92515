// From amounts that add up to metrics, exact until the last division; what a metric is, is data.

/** @param {Amount} a @param {Amount} b @returns {Amount} */
function times(a, b) {
  const product = typeof a === "number" && typeof b === "number" ? a * b + 0 : NaN; // + 0: not -0
  return Number.isSafeInteger(product) ? product : BigInt(a) * BigInt(b);
}

/** @param {Amount} a @param {Amount} b @returns {Amount} */
function plus(a, b) {
  const sum = typeof a === "number" && typeof b === "number" ? a + b : NaN;
  return Number.isSafeInteger(sum) ? sum : BigInt(a) + BigInt(b);
}

/** Divide and round once, to the nearest number and to even ones. @param {Amount} a @param {Amount} b */
function quotient(a, b) {
  if (b == 0) return null;
  if (typeof a === "number" && typeof b === "number") return a / b;
  const size = (/** @type {Amount} */ x) => { const big = BigInt(x); return big < 0n ? -big : big; };
  const [above, below] = [size(a), size(b)];
  const length = (/** @type {bigint} */ x) => x.toString(2).length;
  // 66 bits and one for what is left: rounding these to 53 rounds the quotient. What is too small
  // for 53 bits is rounded at its last place.
  let shift = 66 - (length(above) - length(below));
  const isSmall = shift > 1087;
  if (isSmall) shift = 1074;
  const [n, d] = shift > 0 ? [above << BigInt(shift), below] : [above, below << BigInt(-shift)];
  let found = n / d;
  const rest = n % d;
  if (!isSmall) found |= rest > 0n ? 1n : 0n;
  else if (2n * rest > d || (2n * rest === d && found % 2n === 1n)) found += 1n;
  const half = Math.trunc(shift / 2);
  const value = Number(found) * 2 ** -half * 2 ** -(shift - half);
  return (a < 0) !== (b < 0) ? -value : value;
}

/** One month as a span. @param {number} month @returns {Span} */
const only = (month) => ({ first: month, last: month, cut: false });

/** @param {Span} span */
const monthsOf = (span) => Array.from({ length: span.last - span.first + 1 }, (_, by) => span.first + by);

class Cube {
  /** @param {Head} head @param {Held} held */
  constructor(head, held) {
    this.head = head;
    this.held = held;
    this.view = head.views[0];
    this.first = head.months[0][0];
    this.all = head.segments.length;
  }

  /** A number of a row; null where it is not counted. By a key: of a channel or campaign, as far as
   * it is known by these. @param {string} name @param {Row} row @param {Span} span @param {string} key
   * @returns {Amount | null} */
  quantity(name, row, span, key = "") {
    if (name === "last day") return Date.parse(this.days(span)[1]) / 86_400_000;
    if (name in this.head.derived) {
      /** @type {Amount} */ let sum = 0;
      for (const [sign, names] of this.head.derived[name]) {
        const product = this.product(names, row, span, sign, key);
        if (product === null) return null;
        sum = plus(sum, product);
      }
      return sum;
    }
    const { cells, cut } = this.held;
    if (!cells[""][name]) return null;
    const of = key && this.head.grains[name]?.includes(key[0]) ? key : "";
    const run = (/** @type {boolean} */ isCut) => ((isCut && cut ? cut : cells)[of]?.[name] ?? [])[row] ?? [];
    const [first, last] = [span.first - this.first, span.last - this.first];
    const over = this.head.over[name];
    const [months, end] = [run(false), run(span.cut)];
    if (over === "distinct") { // who came in a month, and in none of the span before it
      let sum = 0;
      for (let at = first; at <= last; at++) {
        for (const count of ((at === last ? end : months)[at] ?? []).slice(0, first + 1)) sum += count;
      }
      return sum;
    }
    let sum = amountOf(end, last);
    for (let at = first; over === "period" && at < last; at++) sum = plus(sum, amountOf(months, at));
    return sum;
  }

  /** @param {string[]} names @param {Row} row @param {Span} span @param {Amount} by @param {string} key
   * @returns {Amount | null} */
  product(names, row, span, by, key) {
    for (const name of names) {
      const amount = this.quantity(name, row, span, key);
      if (amount === null) return null;
      by = times(by, amount);
    }
    return by;
  }

  /** A metric of a row; null where it is undefined, undefined where it is not counted.
   * @param {Metric} metric @param {Row} row @param {Span | null} span @param {string} key */
  value(metric, row, span, key = "") {
    if (span === null) return null;
    const above = this.product(metric.above, row, span, whole(metric.scale[0]), key);
    const below = this.product(metric.below, metric.ofAll ? this.all : row, span, whole(metric.scale[1]), key);
    if (above === null || below === null) return undefined;
    const value = quotient(whole(above), whole(below));
    return value === null || !Number.isFinite(value) ? null : value;
  }

  /** The months to compare with, null where they are not all known.
   * @param {Span} span @param {string} compare @returns {Span | null} */
  prior(span, compare) {
    if (compare === "nothing") return null;
    const by = compare === "previous_year" ? 12 : span.last - span.first + 1;
    const [first, last] = [span.first - by, span.last - by];
    if (first < this.first) return null;
    const cut = this.isOpen(span);
    if (cut && !this.held.cut) return null;
    return { first, last, cut };
  }

  /** Whether the last month of a span is not over. @param {Span} span */
  isOpen(span) {
    return this.head.partial && span.last === this.first + this.head.months.length - 1;
  }

  /** The first and the last day. @param {Span} span */
  days(span) {
    const [, end, cut] = this.head.months[span.last - this.first];
    return [`${String(Math.floor(span.first / 12)).padStart(4, "0")}-${String((span.first % 12) + 1).padStart(2, "0")}-01`,
      span.cut && cut ? cut : end];
  }
}

/** A month of a run, behind the place of its first one. @param {any[]} run @param {number} month @returns {Amount} */
function amountOf(run, month) {
  const by = month - run[0];
  const value = by >= 0 ? run[by + 1] ?? 0 : 0;
  return typeof value === "string" ? BigInt(value) : value;
}

/** An integer, as a number where that is exact. @param {Amount | string} value @returns {Amount} */
function whole(value) {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BigInt(value);
}
