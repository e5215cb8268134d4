/** The columns of the device table: headings, widths and texts. */
import { formatCell, type Column } from "../core/columns";
import { formatAge, MISSING } from "../core/format";
import type { Row } from "../core/fleet";
import type { SortKey } from "../core/order";

export interface Moment {
  /** The time for which ages are computed. */
  readonly now: number;
}

export interface Field {
  /** The `data-field` of its cells. */
  readonly field: string;
  readonly label: string;
  readonly unit: string;
  readonly sort: SortKey | null;
  /** In `ch`. */
  readonly width: number;
  /** Numbers are aligned right, words left. A `word` may be long and is cut. */
  readonly align: "start" | "end" | "word";
  /** The text of the cell; `null` when the cell holds something other than text. */
  readonly text: ((row: Row, at: Moment) => string) | null;
}

/** On a wide screen, age and area come before the values; on a narrow one, the values come first. */
export function fieldsOf(columns: readonly Column[], screen: Screen, names: Names = "short"): readonly Field[] {
  const values = columns.map(measured);
  if (screen === "wide") return [names === "short" ? DEVICE : { ...DEVICE, width: 34 }, STATE, AGE, AREA, ...values, TREND, COUNT, STEADY];
  return [DEVICE, STATE, ...values, AGE, TREND, AREA, COUNT, STEADY].map(narrowed);
}

export type Screen = "wide" | "narrow";
/** Names of modules and components are long, and begin with that of their device. */
export type Names = "short" | "long";

/** On a narrow screen, headings break between name and unit. */
function narrowed(field: Field): Field {
  const least = field.unit === "" ? field.width - 4 : field.label.length + 2;
  return { ...field, width: Math.max(field.field === "device" ? 19 : 9, least) };
}

/** The cell that holds the checkbox and the device's id. */
export const DEVICE: Field = { field: "device", label: "Device", unit: "", sort: "device", width: 20, align: "start", text: null };

/** The cell that shows the device's condition as a shape and a word. */
export const STATE: Field = { field: "state", label: "State", unit: "", sort: "state", width: 10, align: "start", text: null };

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
  field: "age", label: "Age", unit: "", sort: "age", width: 9, align: "end",
  text: (row, { now }) => formatAge(row.device.reportedAt === null ? null : now - row.device.reportedAt),
};

const STEADY: Field = {
  field: "steady", label: "Unchanged", unit: "", sort: "steady", width: 12, align: "end",
  text: (row, { now }) => formatAge(row.device.changedAt === null ? null : now - row.device.changedAt),
};

const ALIGN = { number: "end", flag: "start", text: "word" } as const;

function measured(column: Column): Field {
  const { name, kind, label, unit } = column;
  return {
    field: name, label, unit, sort: `value:${name}`,
    width: Math.max(kind === "text" ? 14 : 9, label.length + unit.length + 3),
    align: ALIGN[kind],
    text: (row) => formatCell(row.device, column),
  };
}
