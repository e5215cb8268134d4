/** The columns of the device table: how wide, how headed, what they say. */
import type { Column } from "../core/columns";
import { formatAge, formatValue, MISSING } from "../core/format";
import type { Row } from "../core/fleet";
import { freshnessOf } from "../core/freshness";
import type { SortKey } from "../core/order";

/** Ages are counted up to `now`, lateness is judged as of `judgedAt`. */
export interface Moment {
  readonly now: number;
  readonly judgedAt: number;
}

export interface Field {
  /** `data-field` of its cells. */
  readonly field: string;
  readonly label: string;
  readonly unit: string;
  readonly sort: SortKey | null;
  /** In `ch`. */
  readonly width: number;
  /** Numbers stand right, words left. */
  readonly align: "start" | "end";
  /** What the cell says; `null` for the cells that are drawn in another way. */
  readonly text: ((row: Row, at: Moment) => string) | null;
}

/** How fresh a row is comes before what it says. On a narrow screen the numbers come first. */
export function fieldsOf(columns: readonly Column[], screen: Screen): readonly Field[] {
  const values = columns.map(measured);
  if (screen === "wide") return [DEVICE, AREA, AGE, ...values, TREND, COUNT, STEADY];
  return [DEVICE, ...values, AGE, TREND, AREA, COUNT, STEADY].map(narrowed);
}

export type Screen = "wide" | "narrow";

/** Headings break between name and unit there. */
function narrowed(field: Field): Field {
  const least = field.unit === "" ? field.width - 4 : field.label.length + 2;
  return { ...field, width: Math.max(field.field === "device" ? 15 : 9, least) };
}

/** The cell that holds the checkbox and the device's id. */
export const DEVICE: Field = { field: "device", label: "Device", unit: "", sort: "device", width: 19, align: "start", text: null };

/** The cell that holds the sparkline. */
export const TREND: Field = { field: "trend", label: "Trend", unit: "", sort: null, width: 12, align: "start", text: null };

const AREA: Field = {
  field: "area", label: "Area", unit: "", sort: "area", width: 12, align: "start",
  text: (row) => row.device.area || MISSING,
};

const COUNT: Field = {
  field: "count", label: "Count", unit: "", sort: "count", width: 8, align: "end",
  text: (row) => row.device.count?.toString() ?? MISSING,
};

const AGE: Field = {
  field: "age", label: "Age", unit: "", sort: "age", width: 14, align: "end",
  text: ageText,
};

const STEADY: Field = {
  field: "steady", label: "Unchanged", unit: "", sort: "steady", width: 12, align: "end",
  text: (row, { now }) => formatAge(row.device.changedAt === null ? null : now - row.device.changedAt),
};

function measured({ name, label, unit, decimals }: Column): Field {
  return {
    field: name, label, unit, sort: `value:${name}`, width: Math.max(9, label.length + unit.length + 3), align: "end",
    text: (row) => formatValue(row.device.values[name], decimals),
  };
}

/** Lateness is said in words, so that it does not hang on a colour. */
function ageText(row: Row, { now, judgedAt }: Moment): string {
  const { reportedAt } = row.device;
  const age = formatAge(reportedAt === null ? null : now - reportedAt);
  const freshness = freshnessOf(row, judgedAt);
  return freshness === "late" || freshness === "silent" ? `${freshness} · ${age}` : age;
}
