/** The measurement columns: which, in which order, and with how many decimals. Pure. */
import type { Fleet } from "./fleet";
import { formatValue, MISSING } from "./format";
import type { Trait, Traits } from "./traits";
import type { Device, Kind, Measurement } from "./wire";

/** One measurement column. */
export interface Column {
  readonly name: string;
  readonly kind: Kind;
  /** The texts that are valid; any when empty. */
  readonly values: readonly string[];
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
    return trait === undefined || (measurement.kind === "number" && !trait.numeric) ? [] : [column(measurement, trait)];
  });
}

/** What a device has in a column, as people read it; `–` when it has nothing. */
export function formatCell({ values, words }: Pick<Device, "values" | "words">, { name, kind, decimals }: Pick<Column, "name" | "kind" | "decimals">): string {
  if (kind === "number") return formatValue(values[name], decimals);
  const word = words[name];
  if (typeof word === "boolean") return word ? "yes" : "no";
  return word === undefined || word === "" ? MISSING : word;
}

/** Whether a device has anything in a column. */
export function hasCell({ values, words }: Pick<Device, "values" | "words">, { name, kind }: Pick<Column, "name" | "kind">): boolean {
  return (kind === "number" ? values[name] : words[name]) !== undefined;
}

/** Whether two lists of columns look the same. */
export function sameColumns(one: readonly Column[], other: readonly Column[]): boolean {
  return one.length === other.length && one.every((left, index) => {
    const right = other[index];
    return right !== undefined && left.name === right.name && left.kind === right.kind && left.unit === right.unit && left.decimals === right.decimals;
  });
}

/** The predecessor's measurements, for a service that sends no catalogue. */
const KNOWN: readonly Measurement[] = [
  number("temperature", "°C", -40, 80),
  number("pressure", "hPa", 600, 1600),
  number("humidity", "%", 0, 100),
  number("light"),
];

function number(name: string, unit = "", min: number | null = null, max: number | null = null): Measurement {
  return { name, kind: "number", values: [], unit, min, max };
}

function withoutCatalogue(traits: Traits): readonly Measurement[] {
  const known = new Set(KNOWN.map((measurement) => measurement.name));
  const others = [...traits].flatMap(([name, { numeric }]) => (numeric && !known.has(name) ? [name] : [])).sort();
  return [...KNOWN, ...others.map((name) => number(name))];
}

function column(measurement: Measurement, trait: Trait): Column {
  const { name, kind, values, unit, min, max } = measurement;
  return { name, kind, values, unit, min, max, label: label(name), decimals: decimals(measurement, trait) };
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
  if (measurement.kind !== "number" || !trait.fractional) return 0;
  const span = measurement.min !== null && measurement.max !== null ? measurement.max - measurement.min : trait.largest;
  return decimalsForSpan(span);
}

/** About a thousandth of the span: finer digits are noise, coarser ones hide changes. */
function decimalsForSpan(span: number): number {
  if (span > 2000) return 0;
  if (span > 10) return 1;
  return span > 1 ? 2 : 3;
}
