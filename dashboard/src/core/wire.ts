/**
 * Reads what the service sends, from `unknown` into types. Only this module knows the names of device states on the wire,
 * including those of the predecessor (`DeviceId`, `Celsius`, `hPa`, …). It never throws; it counts what it cannot read.
 */

/** The state of one device. Times are milliseconds since 1970, by the service's clock. */
export interface Device {
  readonly id: string;
  /** The area, spelled exactly as the service does; empty when it is not known. */
  readonly area: string;
  /** Values by measurement. One without a value is absent. */
  readonly values: Readonly<Record<string, number>>;
  /** How many valid readings were ever counted. */
  readonly count: number | null;
  /** Grows with every change of the state, and so tells which of two states is newer. */
  readonly version: number;
  readonly reportedAt: number | null;
  readonly changedAt: number | null;
}

/** One entry of the service's catalogue. */
export interface Measurement {
  readonly name: string;
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

/**
 * Seconds after which every process of the service sends to a confirmed group; `null` when the reply does not say.
 */
export function readSettlingTime(body: unknown): number | null {
  const seconds = isRecord(body) ? finite(body["settlesAfterSeconds"]) : null;
  return seconds !== null && seconds >= 0 ? seconds : null;
}

/** Members of a state that are not measurements. */
const RESERVED: ReadonlySet<string> = new Set(["deviceId", "geo", "count", "version", "reportedAt", "changedAt"]);

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
  const id = text(entry["deviceId"] ?? entry["DeviceId"]);
  const count = whole(entry["count"] ?? entry["Count"]);
  // The predecessor has no version, but its count grows with every change of the row as well.
  const version = "version" in entry ? whole(entry["version"]) : count;
  if (id === "" || version === null) return null;
  return {
    id,
    area: name(entry["geo"] ?? entry["Geo"]),
    values: readValues(entry),
    count,
    version,
    reportedAt: instant(entry["reportedAt"]),
    changedAt: instant(entry["changedAt"]),
  };
}

/** Only states without a version have the predecessor's names: a catalogue may have a measurement called `Pressure`. */
function readValues(entry: Record<string, unknown>): Record<string, number> {
  const old = !("version" in entry);
  const reserved = old ? OLD_RESERVED : RESERVED;
  const values: Record<string, number> = {};
  for (const [key, value] of Object.entries(entry)) {
    if (typeof value !== "number" || !Number.isFinite(value) || reserved.has(key)) continue;
    values[old ? (OLD_NAMES.get(key) ?? key) : key] = value;
  }
  return values;
}

function readMeasurement(entry: unknown): Measurement | null {
  if (!isRecord(entry)) return null;
  const called = text(entry["name"]);
  if (called === "") return null;
  return { name: called, unit: text(entry["unit"]), min: finite(entry["min"]), max: finite(entry["max"]) };
}

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
