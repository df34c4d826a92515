// What the page is given, and what Vega is; read by `tsc --checkJs`, not by browsers.
type Amount = number | bigint;
type Span = { first: number; last: number; cut: boolean };
type Row = number;
type Metric = {
  name: string; export: string; unit: string; counts: boolean; above: string[]; below: string[];
  ofAll: boolean; scale: [string, string]; doc: string; better: number; channels: boolean; campaigns: boolean;
};
type Segment = { name: string; short: string; csv: string; rule: string; changed: number[] };
type Table = {
  title: string; note: string; rows: string[]; columns: string[]; names: string[][];
  values: Record<string, (number | null)[][]>; units: Record<string, string>;
};
type CohortTable = {
  months: number[]; sizes: (number | null)[]; values: Record<string, (number | null)[][]>;
  units: Record<string, string>;
};
type Head = {
  title: string; symbol: string; asOf: string; partial: boolean;
  months: [number, string, string | null][]; segments: Segment[]; all: string; metrics: Metric[];
  over: Record<string, string>; derived: Record<string, [number, string[]][]>; first: number; last: number; compare: string | null;
  chosen: string[]; place: string[]; minCustomers: number; channels: string[]; campaigns: { name: string; open: number[] }[];
  grains: Record<string, string>; views: ShownView[];
  moves: { segments: string[]; ranks: number[] } | null; grid: Table | null; cohorts: CohortTable | null;
};
type ShownView = { brand: string; target: string; csv: string };
type Cells = Record<string, Record<string, any[][] | null>>;
type Held = {
  cells: Cells; cut: Cells | null; moves?: number[][][] | null;
};
type Tone = "good" | "bad" | "flat";
type State = {
  mode: string; first: number; last: number; compare: string; segments: number[];
  charted: (number | null)[]; metrics: Metric[]; metric: Metric; chart: Metric;
  beside: Metric | null; tab: string; sort: string; down: boolean;
  view: number; open: Set<string>; ranked: Metric | undefined; most: number;
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
