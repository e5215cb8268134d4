/** The measurement columns: which, in which order, and with how many decimals. Pure. */
import type { Fleet, Trait } from "./fleet";
import type { Measurement } from "./wire";

/** One measurement column. */
export interface Column {
  readonly name: string;
  /** The heading, e.g. `Temperature`. */
  readonly label: string;
  readonly unit: string;
  readonly decimals: number;
  /** The valid range; `null` where it has no bound. */
  readonly min: number | null;
  readonly max: number | null;
}

/** A column for each measurement that some device has: in the catalogue's order, or by name while there is no catalogue. */
export function columnsOf(fleet: Fleet): readonly Column[] {
  const catalogue = fleet.measurements ?? withoutCatalogue(fleet.traits);
  return catalogue.flatMap((measurement) => {
    const trait = fleet.traits.get(measurement.name);
    return trait === undefined ? [] : [column(measurement, trait)];
  });
}

/** Whether two lists of columns look the same. */
export function sameColumns(one: readonly Column[], other: readonly Column[]): boolean {
  return one.length === other.length && one.every((left, index) => {
    const right = other[index];
    return right !== undefined && left.name === right.name && left.unit === right.unit && left.decimals === right.decimals;
  });
}

/** The predecessor's measurements, for a service that sends no catalogue. */
const KNOWN: readonly Measurement[] = [
  { name: "temperature", unit: "°C", min: -40, max: 80 },
  { name: "pressure", unit: "hPa", min: 600, max: 1600 },
  { name: "humidity", unit: "%", min: 0, max: 100 },
  { name: "light", unit: "", min: null, max: null },
];

function withoutCatalogue(traits: ReadonlyMap<string, Trait>): readonly Measurement[] {
  const known = new Set(KNOWN.map((measurement) => measurement.name));
  const others = [...traits.keys()].filter((name) => !known.has(name)).sort();
  return [...KNOWN, ...others.map((name) => ({ name, unit: "", min: null, max: null }))];
}

function column(measurement: Measurement, trait: Trait): Column {
  const { name, unit, min, max } = measurement;
  return { name, unit, min, max, label: label(name), decimals: decimals(measurement, trait) };
}

/** Both `windSpeed` and `wind_speed` give `Wind speed`. */
function label(name: string): string {
  const words = name.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/[_-]+/g, " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** 0.0001 degrees are about ten metres, the accuracy of a position in the field. */
const POSITION_DECIMALS = 4;

function decimals(measurement: Measurement, trait: Trait): number {
  if (measurement.name === "latitude" || measurement.name === "longitude") return POSITION_DECIMALS;
  if (!trait.fractional) return 0;
  const span = measurement.min !== null && measurement.max !== null ? measurement.max - measurement.min : trait.largest;
  return decimalsForSpan(span);
}

/** About a thousandth of the span: finer digits are noise, coarser ones hide changes. */
function decimalsForSpan(span: number): number {
  if (span > 2000) return 0;
  if (span > 10) return 1;
  return span > 1 ? 2 : 3;
}
