/** Which devices are listed, and in which order. Pure. */
import type { Fleet, Row } from "./fleet";
import { freshnessOf, type Freshness } from "./freshness";

/** What the table can be sorted by; measurements by their name. */
export type SortKey = "device" | "area" | "count" | "age" | "steady" | `value:${string}`;

export interface Sort {
  readonly key: SortKey;
  readonly direction: "ascending" | "descending";
}

export interface Query {
  /** Words that must all occur in the device's id or area. */
  readonly text: string;
  readonly freshness: Freshness | "all";
  readonly sort: Sort;
}

/** Places of ids and areas in people's order (`sensor-2` before `sensor-10`), worked out once per set of devices. */
export interface Ranks {
  readonly device: ReadonlyMap<string, number>;
  readonly area: ReadonlyMap<string, number>;
}

export const DEFAULT_SORT: Sort = { key: "device", direction: "ascending" };

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export function rank(rows: readonly Row[]): Ranks {
  return { device: places(rows.map((row) => row.device.id)), area: places(rows.map((row) => row.device.area)) };
}

/** Ids of the devices to list, in order. */
export function arrange(fleet: Fleet, query: Query, ranks: Ranks, now: number): readonly string[] {
  const listed = fleet.rows.filter(matching(query, now));
  const keys = new Map(listed.map((row) => [row, sortValue(row, query.sort.key, ranks)]));
  const sign = query.sort.direction === "ascending" ? 1 : -1;
  const place = (row: Row): number => ranks.device.get(row.device.id) ?? Infinity;
  listed.sort((one, other) => byValue(keys.get(one), keys.get(other), sign) || place(one) - place(other));
  return listed.map((row) => row.device.id);
}

/** Keeps a given order: devices that left are dropped, new ones are appended. For the time somebody reads the table. */
export function hold(order: readonly string[], fleet: Fleet, query: Query, now: number): readonly string[] {
  const kept = order.filter((id) => fleet.slots.has(id));
  const listed = new Set(kept);
  const added = fleet.rows.filter((row) => !listed.has(row.device.id)).filter(matching(query, now));
  return [...kept, ...added.map((row) => row.device.id)];
}

/** Whether the order can change without a device coming or going. */
export function isMoving(query: Query): boolean {
  return query.freshness !== "all" || (query.sort.key !== "device" && query.sort.key !== "area");
}

function matching(query: Query, now: number): (row: Row) => boolean {
  const words = query.text.toLowerCase().split(/\s+/).filter(Boolean);
  return (row) => {
    if (query.freshness !== "all" && freshnessOf(row, now) !== query.freshness) return false;
    if (words.length === 0) return true;
    const text = `${row.device.id} ${row.device.area}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

function sortValue(row: Row, key: SortKey, ranks: Ranks): number | null {
  const { device } = row;
  switch (key) {
    case "device":
      return ranks.device.get(device.id) ?? null;
    case "area":
      return device.area === "" ? null : (ranks.area.get(device.area) ?? null);
    case "count":
      return device.count;
    // Youngest first when ascending: a later time is a smaller age.
    case "age":
      return device.reportedAt === null ? null : -device.reportedAt;
    case "steady":
      return device.changedAt === null ? null : -device.changedAt;
    default:
      return device.values[key.slice("value:".length)] ?? null;
  }
}

/** Missing values come last in both directions: they are never what one sorts for. */
function byValue(one: number | null | undefined, other: number | null | undefined, sign: number): number {
  if (one === null || one === undefined) return other === null || other === undefined ? 0 : 1;
  if (other === null || other === undefined) return -1;
  return sign * (one - other);
}

function places(texts: readonly string[]): ReadonlyMap<string, number> {
  const sorted = [...new Set(texts)].sort((one, other) => collator.compare(one, other) || (one < other ? -1 : 1));
  return new Map(sorted.map((text, place) => [text, place]));
}
