// What the page is given, what its parts do, and what Vega is; read by `tsc --checkJs`, not by browsers.
type Amount = number | bigint;
type Calculation<Result> = (a: Amount, b: Amount) => Result;
type Span = { first: number; last: number; cut: boolean };
type Row = number;
type Value = number | null | undefined;
type Child = Node | string | null;
type Unit = { unit: string; counts: boolean };
type Metric = Unit & {
  name: string; export: string; above: string[]; below: string[];
  ofAll: boolean; scale: [string, string]; doc: string; better: number; channels: boolean; campaigns: boolean;
};
type Segment = { name: string; short: string; brief: string; csv: string; rule: string; changed: number[] };
type Moves = { segments: string[]; ranks: number[] };
type Month = { number: number; name: string; start: string; end: string; cut: string | null };
type Head = {
  title: string; symbol: string; asOf: string; partial: boolean;
  months: Month[]; segments: Segment[]; all: string; metrics: Metric[];
  over: Record<string, string>; derived: Record<string, [number, string[]][]>;
  place: string[]; minCustomers: number; channels: string[]; campaigns: { name: string; open: number[] }[];
  grains: Record<string, string>; views: ShownView[]; moves: Moves | null;
};
type ShownView = { brand: string; target: string; csv: string };
type Cells = Record<string, Record<string, any[][] | null>>;
type Held = {
  cells: Cells; cut: Cells | null; moves?: number[][][] | null;
};
type Change = { value: number | null; text: string; tone: "good" | "bad" | "flat" };
type State = {
  mode: string; span: Span; compare: string; segments: Row[]; charted: (Row | null)[]; open: Set<string>;
  metrics: Metric[]; metric: Metric; chart: Metric; beside: Metric | undefined; ranked: Metric | undefined;
  sort: string; isDown: boolean; tab: string; view: number;
};
type Cube = {
  head: Head; held: Held; view: ShownView; first: number; end: number; all: Row;
  quantity(name: string, row: Row, span: Span, key?: string): Amount | null;
  product(names: string[], row: Row, span: Span, by: Amount, key: string): Amount | null;
  value(metric: Metric, row: Row, span: Span | null, key?: string): Value;
  seen(metric: Metric, row: Row, span: Span | null, key?: string): Value;
  prior(span: Span, compare: string): Span | null;
  isOpen(span: Span): boolean;
  days(span: Span): [string, string];
  month(number: number): string;
  months(span: Span): string;
};
type Tables = {
  nameOf: (row: Row) => string;
  text: (metric: Unit, value: Value) => string;
  number(metric: Metric, value: Value, largest?: number): HTMLElement;
  heading(row: Row, span: Span, slot: number, opener?: HTMLElement | null): HTMLElement;
  metrics(state: State, span: Span, prior: Span | null): void;
  months(state: State, span: Span): void;
  campaigns(by: Metric, state: State, span: Span, most: number): void;
  tile(label: string, metric: Metric, row: Row, span: Span, prior: Span | null, spark: HTMLElement): HTMLElement;
};
type Charted = [slot: number, row: Row][];
type Charts = {
  views: Map<Element, [string, View]>;
  parsed: Map<string, object>;
  draw(
    into: HTMLElement, name: string, data: Record<string, object[]>, signals: Record<string, unknown>,
    width: number, height: number, padding: object,
  ): View;
  axis: (metric: Metric) => { share: boolean; before: string };
  names: (rows: Charted, pixels: number, font: string) => string[];
  short: (metric: Metric, value: Value) => string;
  bars(into: HTMLElement, metric: Metric, rows: Charted, span: Span, prior: Span | null, isNamed: boolean): void;
  lines(into: HTMLElement, metric: Metric, rows: Charted, span: Span): void;
  sparkline(into: HTMLElement, metric: Metric, row: Row, last: number): void;
  flows(into: HTMLElement, moves: Moves, counts: number[][]): void;
};
type View = {
  data(name: string, rows: object[]): View; signal(name: string, value: unknown): View;
  width(value: number): View; height(value: number): View; padding(value: object): View;
  runAsync(): Promise<View>; run(): View; scale(name: string): (value: unknown) => number;
  initialize(at: Element): View; tooltip(show: (...all: any[]) => void): View;
};
declare const vega: {
  parse(spec: object, config: object, options: object): object;
  View: new (runtime: object, options: object) => View;
  None: number;
  expressionInterpreter: object;
};
