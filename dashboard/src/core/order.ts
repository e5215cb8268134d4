/** Which devices the table lists, and in which order. Pure. */
import type { Fleet, Row } from "./fleet";
import { conditionOf, freshnessOf, type Condition } from "./freshness";
import { sourceLabel } from "./source";
import { isUnreadable, type Word } from "./wire";

/** What the table can be sorted by. A measurement is named as in `value:temperature`. */
export type SortKey = "device" | "state" | "area" | "count" | "age" | "steady" | `value:${string}`;

export interface Sort {
  readonly key: SortKey;
  readonly direction: "ascending" | "descending";
}

/** Lists only the devices in this condition, or all. */
export type Show = Condition | "all";

export interface Query {
  /** Words that must all occur in the names of the source or in its area. */
  readonly text: string;
  readonly show: Show;
  readonly sort: Sort;
}

/** Ids and areas sorted as people sort names (`sensor-2` before `sensor-10`), computed once per set of devices. */
export interface Ranks {
  readonly device: Places;
  readonly area: Places;
}

/** A sorted set of texts, each with its index. */
type Places = ReadonlyMap<string, number>;

export const DEFAULT_SORT: Sort = { key: "device", direction: "ascending" };

export const NO_RANKS: Ranks = { device: new Map(), area: new Map() };

/** Starts from the ranks before, so that one more device among ten thousand costs one pass instead of a sort. */
export function rank(rows: readonly Row[], before: Ranks = NO_RANKS): Ranks {
  return {
    device: places(new Set(rows.map((row) => row.device.id)), before.device, sourceKey),
    area: places(new Set(rows.map((row) => row.device.area)), before.area),
  };
}

/** Ids of the devices to list, in order, those first whose state cannot be read. Devices without a rank are left out. */
export function arrange(fleet: Fleet, { sort, ...query }: Query, ranks: Ranks, now: number): readonly string[] {
  const listed = byPlace(fleet, ranks).filter(matching(query, now));
  const sorted = sort.key === "device" ? inDirection(listed, sort.direction) : byValue(listed, sort, ranks, now);
  return damagedFirst(sorted).map(({ device }) => device.id);
}

/** They have hardly a value to be sorted by, and somebody has to mend them. */
function damagedFirst(rows: readonly Row[]): readonly Row[] {
  const damaged = rows.filter(({ device }) => isUnreadable(device));
  return damaged.length === 0 ? rows : [...damaged, ...rows.filter(({ device }) => !isUnreadable(device))];
}

function byPlace({ rows, slots }: Fleet, { device }: Ranks): readonly Row[] {
  return [...device.keys()].flatMap((id) => rows[slots.get(id) ?? -1] ?? []);
}

function inDirection(rows: readonly Row[], direction: Sort["direction"]): readonly Row[] {
  return direction === "ascending" ? rows : rows.toReversed();
}

/**
 * Rows with equal values keep their order. Missing values come last in both directions, because nobody sorts to find them.
 * The values are put into an array first, because ten thousand rows must be sorted between two frames.
 */
function byValue(rows: readonly Row[], { key, direction }: Sort, ranks: Ranks, now: number): readonly Row[] {
  const sign = direction === "ascending" ? 1 : -1;
  const scale = { ...ranks, words: wordPlaces(rows, key), now };
  const values = Float64Array.from(rows, (row) => {
    const value = sortValue(row, key, scale);
    return value === null ? Infinity : sign * value;
  });
  const at = (index: number): number => values[index] ?? Infinity;
  // The difference of two missing values is NaN; then the index decides.
  const order = [...rows.keys()].sort((one, other) => at(one) - at(other) || one - other);
  return order.flatMap((index) => rows[index] ?? []);
}

/** Keeps an order while somebody reads the table: devices that left are removed, new ones are appended. */
export function hold(order: readonly string[], fleet: Fleet, query: Query, now: number): readonly string[] {
  const kept = order.filter((id) => fleet.slots.has(id));
  const listed = new Set(kept);
  const added = fleet.rows.filter((row) => !listed.has(row.device.id)).filter(matching(query, now));
  return [...kept, ...added.map((row) => row.device.id)];
}

/** Whether the list can change without a device being added or removed. */
export function isMoving(query: Query): boolean {
  return query.show !== "all" || (query.sort.key !== "device" && query.sort.key !== "area");
}

function matching({ text, show }: Omit<Query, "sort">, now: number): (row: Row) => boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (row) => {
    if (!shows(show, row, now)) return false;
    if (words.length === 0) return true;
    const text = `${sourceLabel(row.device)} ${row.device.area}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

function shows(show: Show, row: Row, now: number): boolean {
  switch (show) {
    case "all":
      return true;
    case "steady":
      return conditionOf(row, now) === show;
    default:
      return freshnessOf(row, now) === show;
  }
}

interface Scale extends Ranks {
  /** The texts of the measurement that the table is sorted by. */
  readonly words: Places;
  readonly now: number;
}

function sortValue(row: Row, key: SortKey, scale: Scale): number | null {
  const { device } = row;
  switch (key) {
    case "device":
      return scale.device.get(device.id) ?? null;
    case "state":
      return URGENCY.indexOf(conditionOf(row, scale.now));
    case "area":
      return device.area === "" ? null : (scale.area.get(device.area) ?? null);
    case "count":
      return device.count;
    // A later time is a smaller age, and so comes first in ascending order.
    case "age":
      return device.reportedAt === null ? null : -device.reportedAt;
    case "steady":
      return device.changedAt === null ? null : -device.changedAt;
    default:
      return device.values[measurementOf(key)] ?? wordValue(device.words[measurementOf(key)], scale.words);
  }
}

/** What needs attention comes first. */
const URGENCY: readonly Condition[] = ["damaged", "lost", "stale", "late", "unknown", "live", "steady"];

function measurementOf(key: SortKey): string {
  return key.slice("value:".length);
}

/** Texts as people sort names, no before yes. */
function wordValue(word: Word | undefined, words: Places): number | null {
  return typeof word === "boolean" ? Number(word) : (words.get(word ?? "") ?? null);
}

function wordPlaces(rows: readonly Row[], key: SortKey): Places {
  if (!key.startsWith("value:")) return NO_PLACES;
  const name = measurementOf(key);
  const texts = rows.map(({ device }) => device.words[name]).filter((word) => typeof word === "string" && word !== "");
  return places(new Set(texts as readonly string[]), NO_PLACES);
}

/** Compares as people sort names: `sensor-2` before `sensor-10`, `Zürich` next to `zurich`. */
export function compareNaturally(one: string, other: string): number {
  return compare(naturalKey(one), naturalKey(other)) || compare(one, other);
}

const NO_PLACES: Places = new Map();

/** So that the modules and components of a device come after it, and before the next device. */
function sourceKey(id: string): string {
  return naturalKey(id.replaceAll("|", "\u0000"));
}

function places(texts: ReadonlySet<string>, before: Places, keyOf: (text: string) => string = naturalKey): Places {
  const kept = [...before.keys()].filter((text) => texts.has(text));
  const added = [...texts].filter((text) => !before.has(text));
  if (added.length === 0 && kept.length === before.size) return before;
  // What is sorted already costs the sort only one pass.
  const sorted = [...kept, ...added].map((text) => ({ text, key: keyOf(text) }));
  sorted.sort((one, other) => compare(one.key, other.key) || compare(one.text, other.text));
  return new Map(sorted.map(({ text }, place) => [text, place]));
}

/** A text whose code units sort as people sort the name: without case and accents, and longer numbers after shorter ones. */
function naturalKey(text: string): string {
  const letters = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return letters.replace(/\d+/g, (digits) => {
    const number = digits.replace(/^0+(?=\d)/, "");
    return `${String.fromCharCode("0".charCodeAt(0) + number.length)}${number}`;
  });
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
