/**
 * Reads what the service sends, from `unknown` into types. Only this module knows the names of device states on the wire,
 * including those of the predecessor (`DeviceId`, `Celsius`, `hPa`, …). It never throws; it counts what it cannot read.
 */

import { sourceId, type Source } from "./source";

/** A text, or a yes or no. */
export type Word = string | boolean;

/** The state of one source, which is usually a device. Times are milliseconds since 1970, by the service's clock. */
export interface Device extends Source {
  /** The id of the source: the device's name, and where there is one, its module and component (`sourceId`). */
  readonly id: string;
  /** The area, spelled exactly as the service does; empty when it is not known. */
  readonly area: string;
  /** Numbers by measurement. One without a value is absent. */
  readonly values: Readonly<Record<string, number>>;
  /** Likewise for measurements that are no numbers: a status, a door. */
  readonly words: Readonly<Record<string, Word>>;
  /** How many valid readings were ever counted. */
  readonly count: number | null;
  /** Grows with every change of the state, and so tells which of two states is newer. */
  readonly version: number;
  readonly reportedAt: number | null;
  /** When the values were measured, as far as the device says so. */
  readonly measuredAt: number | null;
  readonly changedAt: number | null;
  /** What is wrong with the stored state, in a sentence; `null` when nothing is. */
  readonly problem: string | null;
}

/** Whether the service cannot read the stored state: only the source and the problem are known of it. */
export function isUnreadable({ problem, count }: Pick<Device, "problem" | "count">): boolean {
  return problem !== null && count === null;
}

export type Kind = "number" | "text" | "flag";

/** One entry of the service's catalogue. */
export interface Measurement {
  readonly name: string;
  /** `flag`: yes or no. */
  readonly kind: Kind;
  /** The texts that are valid; any when empty. */
  readonly values: readonly string[];
  /** E.g. `°C`; empty for a plain number. */
  readonly unit: string;
  readonly min: number | null;
  readonly max: number | null;
}

/** The device states that could be read, and how many entries could not. */
export interface Batch {
  readonly devices: readonly Device[];
  readonly malformed: number;
}

/** One reply of `getdevicestate`. */
export interface SnapshotPage extends Batch {
  readonly measurements: readonly Measurement[];
  /** Devices that have changed and are not, or no longer, among those asked for. Only their id, area and version are known. */
  readonly elsewhere: readonly Device[];
  /** Where the next page starts; `null` on the last one. */
  readonly continuation: string | null;
  /** For asking later what has changed since this reply; `null` from a service that does not support that. */
  readonly cursor: string | null;
}

/** Reads the argument of a `newMessage`: an array of device states or a single one. */
export function readMessage(argument: unknown): Batch {
  return readDevices(Array.isArray(argument) ? argument : [argument]);
}

/** Reads a reply of `getdevicestate`, or the predecessor's bare array of rows; `null` for anything else. */
export function readSnapshotPage(body: unknown): SnapshotPage | null {
  if (Array.isArray(body)) return { ...readDevices(body), measurements: [], elsewhere: [], continuation: null, cursor: null };
  if (!isRecord(body) || !Array.isArray(body["devices"])) return null;
  return {
    ...readDevices(body["devices"]),
    measurements: list(body["measurements"]).flatMap((entry) => readMeasurement(entry) ?? []),
    elsewhere: list(body["elsewhere"]).flatMap((entry) => readDevice(entry) ?? []),
    continuation: text(body["continuation"]) || null,
    cursor: text(body["cursor"]) || null,
  };
}

/** The stable code of an error reply; empty when there is none. */
export function readErrorCode(body: unknown): string {
  return isRecord(body) ? text(body["code"]) : "";
}

/** The service's confirmation that a connection is in a group. */
export interface Joined {
  /** Exactly as the service spells it. */
  readonly group: string;
  /** Seconds after which every process of the service sends to it. */
  readonly settlesAfter: number;
}

/** Reads a reply of `subscriptions`; `null` when it confirms nothing. */
export function readJoined(body: unknown): Joined | null {
  if (!isRecord(body)) return null;
  const [group, settlesAfter] = [body["group"], finite(body["settlesAfterSeconds"])];
  return typeof group === "string" && settlesAfter !== null && settlesAfter >= 0 ? { group, settlesAfter } : null;
}

/** Members of a state that are not measurements. */
const RESERVED: ReadonlySet<string> = new Set([
  "deviceId", "module", "component", "geo", "count", "version", "reportedAt", "measuredAt", "changedAt", "problem",
]);

/** The predecessor's numeric members that are not measurements. */
const OLD_RESERVED: ReadonlySet<string> = new Set(["count", "Count", "Id", "messageId", "Schema", "schema"]);

/** The predecessor's names of measurements. */
const OLD_NAMES: ReadonlyMap<string, string> = new Map([
  ["Celsius", "temperature"],
  ["HPa", "pressure"],
  ["Humidity", "humidity"],
  ["Light", "light"],
  ["Pressure", "pressure"],
  ["Temperature", "temperature"],
  ["hPa", "pressure"],
]);

function readDevices(entries: readonly unknown[]): Batch {
  const devices: Device[] = [];
  for (const entry of entries) {
    const device = readDevice(entry);
    if (device !== null) devices.push(device);
  }
  return { devices, malformed: entries.length - devices.length };
}

function readDevice(entry: unknown): Device | null {
  if (!isRecord(entry)) return null;
  const source = readSource(entry);
  const count = whole(entry["count"] ?? entry["Count"]);
  const problem = text(entry["problem"]) || null;
  const version = readVersion(entry, count, problem);
  if (source.deviceId === "" || version === null) return null;
  return {
    ...source,
    id: sourceId(source),
    area: name(entry["geo"] ?? entry["Geo"]),
    values: readValues(entry),
    words: readWords(entry),
    count,
    version,
    reportedAt: instant(entry["reportedAt"]),
    measuredAt: instant(entry["measuredAt"]),
    changedAt: instant(entry["changedAt"]),
    problem,
  };
}

function readSource(entry: Record<string, unknown>): Source {
  return { deviceId: text(entry["deviceId"] ?? entry["DeviceId"]), module: name(entry["module"]), component: name(entry["component"]) };
}

/** The predecessor has no version, but its count grows with every change of the row as well. What is unreadable has none. */
function readVersion(entry: Record<string, unknown>, count: number | null, problem: string | null): number | null {
  const version = isOld(entry) ? count : whole(entry["version"]);
  return version === null && problem !== null && count === null ? 0 : version;
}

/** Only states without a version have the predecessor's names: a catalogue may have a measurement called `Pressure`. */
function readValues(entry: Record<string, unknown>): Record<string, number> {
  const old = isOld(entry);
  const reserved = old ? OLD_RESERVED : RESERVED;
  const values: [string, number][] = [];
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== "number" || !Number.isFinite(value) || reserved.has(key)) continue;
    values.push([old ? (OLD_NAMES.get(key) ?? key) : key, value]);
  }
  return Object.fromEntries(values);
}

/** The predecessor's measurements are all numbers, and its other members are none. */
function readWords(entry: Record<string, unknown>): Readonly<Record<string, Word>> {
  if (isOld(entry)) return NO_WORDS;
  const words = Object.entries(entry).filter((member): member is [string, Word] => isWord(member[1]) && !RESERVED.has(member[0]));
  return words.length === 0 ? NO_WORDS : Object.fromEntries(words);
}

/** One for all, because most devices have none. */
const NO_WORDS: Readonly<Record<string, Word>> = {};

function isOld(entry: Record<string, unknown>): boolean {
  return !("version" in entry || "problem" in entry);
}

function isWord(value: unknown): value is Word {
  return typeof value === "string" || typeof value === "boolean";
}

function readMeasurement(entry: unknown): Measurement | null {
  if (!isRecord(entry)) return null;
  const called = text(entry["name"]);
  if (called === "") return null;
  return {
    name: called,
    kind: KINDS.find((kind) => kind === entry["kind"]) ?? "number",
    values: list(entry["values"]).filter((value) => typeof value === "string"),
    unit: text(entry["unit"]),
    min: finite(entry["min"]),
    max: finite(entry["max"]),
  };
}

const KINDS: readonly Kind[] = ["number", "text", "flag"];

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value.trim() : "";
}

/** Not trimmed, because groups and filters compare names exactly. */
function name(value: unknown): string {
  return typeof value === "string" && value.trim() !== "" ? value : "";
}

function finite(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function whole(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function instant(value: unknown): number | null {
  return typeof value === "string" ? finite(Date.parse(value)) : null;
}
