/**
 * The state of all devices, as a pure reducer: live messages, snapshots and catch-ups in, the next state out.
 *
 * A live state replaces a row only when its version is higher; those with the same or a lower version are dropped. While a
 * snapshot is being loaded, live states wait in a buffer and are applied on top of it, so that nothing is lost between the
 * two. A snapshot is the store's truth and replaces what was shown before. A catch-up holds only what has changed, so it is
 * applied by version and removes nothing.
 *
 * When only some areas and devices are followed, a newer state also decides whether a device is shown at all. The last
 * known state of a device that is not shown is kept, so that no older state brings the device back.
 *
 * Of a stored state that the service cannot read, its answers tell only the problem. The row shows that and keeps its
 * version, until a newer state comes, or an answer with a state that can be read.
 */
import { damaged, mayBeFollowed } from "./damage";
import { EVERYTHING, isFollowed, type Following } from "./following";
import { widen, type Traits } from "./traits";
import { isUnreadable, type Batch, type Device, type Measurement } from "./wire";

/** One source on the page, usually a device. A row object is never changed, only replaced, so that rows can be compared by identity. */
export interface Row {
  readonly device: Device;
  /** Usual time between two reports in milliseconds, learnt from live messages; `null` until there were two. */
  readonly interval: number | null;
}

/** Counts the device states received since the page was opened. */
export interface Tally {
  readonly applied: number;
  /** Repeats, and states older than the one shown. */
  readonly dropped: number;
  readonly malformed: number;
}

export interface Fleet {
  readonly rows: readonly Row[];
  /** Source id to index in `rows`. It is a new map if, and only if, the set of devices changed. */
  readonly slots: ReadonlyMap<string, number>;
  readonly following: Following;
  /** The newest known states of devices that are not in `rows`; of very many, those that were added last. */
  readonly away: ReadonlyMap<string, Device>;
  /** The service's catalogue; `null` before the first snapshot. */
  readonly measurements: readonly Measurement[] | null;
  readonly traits: Traits;
  /** While a snapshot is being loaded, the newest live state of each device; otherwise `null`. */
  readonly buffer: ReadonlyMap<string, Device> | null;
  readonly tally: Tally;
  /** How many states had a lower version but a later report: the store was set up anew while the page was open. */
  readonly contradictions: number;
  /** Indices in `rows` of those that the last action changed. */
  readonly touched: readonly number[];
}

interface Loaded extends Batch {
  readonly measurements: readonly Measurement[];
}

export type FleetAction =
  /** Hold live messages back from now on: a snapshot will come. */
  | { readonly kind: "buffer" }
  | { readonly kind: "messages"; readonly devices: readonly Device[]; readonly malformed: number; readonly at: number }
  | { readonly kind: "snapshot" } & Loaded
  /** What has changed since an earlier reply. */
  | { readonly kind: "catchUp"; readonly elsewhere: readonly Device[] } & Loaded
  /** Other devices are followed from now on. */
  | { readonly kind: "follow"; readonly following: Following }
  /** No snapshot will come: apply what was held back. */
  | { readonly kind: "release" };

export const EMPTY_FLEET: Fleet = {
  rows: [],
  slots: new Map(),
  following: EVERYTHING,
  away: new Map(),
  measurements: null,
  traits: new Map(),
  buffer: null,
  tally: { applied: 0, dropped: 0, malformed: 0 },
  contradictions: 0,
  touched: [],
};

export function reduceFleet(fleet: Fleet, action: FleetAction): Fleet {
  switch (action.kind) {
    case "buffer":
      return { ...fleet, buffer: fleet.buffer ?? new Map(), touched: [] };
    case "messages":
      return receive(fleet, action.devices.map((device) => dated(device, action.at)), action.malformed);
    case "snapshot":
      return replaceAll(fleet, action);
    case "catchUp":
      return catchUp(fleet, action);
    case "follow":
      return follow(fleet, action.following);
    case "release":
      return applyHeld(fleet);
  }
}

/**
 * Whether one of these states should have come as a message: it is newer than everything that has arrived, including what
 * is held back, and its device is followed or shown. No message tells that a state cannot be read, or can be read again.
 */
export function hasNews(fleet: Fleet, devices: readonly Device[]): boolean {
  return devices.some((device) => {
    const { id, version } = device;
    const shown = rowOf(fleet, id)?.device;
    if (isUnreadable(device) || (shown !== undefined && isUnreadable(shown))) return false;
    const known = Math.max(newestOf(fleet, id)?.version ?? -1, fleet.buffer?.get(id)?.version ?? -1);
    return version > known && (fleet.slots.has(id) || isFollowed(fleet.following, device));
  });
}

function rowOf({ rows, slots }: Fleet, id: string): Row | undefined {
  return rows[slots.get(id) ?? -1];
}

function newestOf(fleet: Fleet, id: string): Device | undefined {
  return rowOf(fleet, id)?.device ?? fleet.away.get(id);
}

/** The predecessor's messages have no time, so the time of their arrival is used. */
function dated(device: Device, at: number): Device {
  return device.reportedAt === null ? { ...device, reportedAt: at } : device;
}

function receive(fleet: Fleet, devices: readonly Device[], malformed: number): Fleet {
  const counted = withTally(fleet, { malformed });
  return fleet.buffer === null ? applyLive(counted, devices) : hold(counted, fleet.buffer, devices);
}

function hold(fleet: Fleet, held: ReadonlyMap<string, Device>, devices: readonly Device[]): Fleet {
  const buffer = new Map(held);
  let dropped = 0;
  for (const device of devices) {
    const waiting = buffer.get(device.id);
    if (waiting !== undefined) dropped += 1;
    if (waiting === undefined || device.version > waiting.version) buffer.set(device.id, device);
  }
  return withTally({ ...fleet, buffer, touched: [] }, { dropped });
}

function applyLive(fleet: Fleet, devices: readonly Device[]): Fleet {
  const draft = new Draft(fleet, learnInterval);
  for (const device of devices) draft.apply(device);
  return draft.finish();
}

function applyHeld(fleet: Fleet): Fleet {
  return applyLive({ ...fleet, buffer: null }, [...(fleet.buffer?.values() ?? [])]);
}

/** The next fleet under construction. Copies a map only when it changes, so that a message costs little. */
class Draft {
  /** `null` where a device has left. */
  private readonly rows: (Row | null)[];
  private readonly touched = new Set<number>();
  private slots: Map<string, number> | null = null;
  private away: Map<string, Device> | null = null;
  private left = false;
  private dropped = 0;
  private applied = 0;
  private contradictions = 0;

  constructor(
    private readonly fleet: Fleet,
    private readonly intervalOf: (row: Row, device: Device) => number | null,
  ) {
    this.rows = fleet.rows.slice();
  }

  apply(device: Device): void {
    const slot = this.slotOf(device.id);
    const row = slot === undefined ? null : (this.rows[slot] ?? null);
    const known = row?.device ?? this.lastOf(device.id);
    if (isUnreadable(device)) return this.mark(damaged(device, known), row, slot);
    if (known !== undefined && device.version <= known.version) return this.drop(device, known);
    if (!isFollowed(this.fleet.following, device)) return this.leave(device);
    if (slot === undefined || row === null) return this.add(device);
    this.accept(slot, { device, interval: this.intervalOf(row, device) });
  }

  /** A state in an answer of the store. It also replaces one of the same version that could not be read before. */
  answer(device: Device): void {
    const slot = this.slotOf(device.id);
    const row = slot === undefined ? null : (this.rows[slot] ?? null);
    const isMended = row !== null && isUnreadable(row.device) && !isUnreadable(device) && device.version === row.device.version;
    if (slot === undefined || !isMended || !isFollowed(this.fleet.following, device)) return this.apply(device);
    this.accept(slot, { device, interval: row.interval });
  }

  /** The device is no longer among those that are followed, unless a newer state is known. */
  leave(device: Device): void {
    const slot = this.slotOf(device.id);
    const known = slot === undefined ? this.lastOf(device.id) : this.rows[slot]?.device;
    if (known !== undefined && device.version <= known.version) return;
    this.away ??= new Map(this.fleet.away);
    remember(this.away, device);
    if (slot === undefined) return;
    this.slots ??= new Map(this.fleet.slots);
    this.slots.delete(device.id);
    this.rows[slot] = null;
    this.left = true;
  }

  finish(): Fleet {
    const { applied, dropped } = this;
    const fleet = {
      ...withTally(this.fleet, { applied, dropped }),
      away: this.away ?? this.fleet.away,
      contradictions: this.fleet.contradictions + this.contradictions,
      touched: [],
    };
    if (!this.left && this.touched.size === 0) return fleet;
    const rows = this.rows.filter((row) => row !== null);
    const slots = this.left ? slotsOf(rows) : (this.slots ?? fleet.slots);
    const touched = [...this.touched].flatMap((slot) => slots.get(this.rows[slot]?.device.id ?? "") ?? []);
    return { ...fleet, rows, slots, touched, traits: widen(fleet.traits, touched.flatMap((slot) => rows[slot]?.device ?? [])) };
  }

  private slotOf(id: string): number | undefined {
    return (this.slots ?? this.fleet.slots).get(id);
  }

  private lastOf(id: string): Device | undefined {
    return (this.away ?? this.fleet.away).get(id);
  }

  private drop(device: Device, known: Device): void {
    this.dropped += 1;
    if (device.version < known.version && isLater(device, known)) this.contradictions += 1;
  }

  private mark(device: Device, row: Row | null, slot: number | undefined): void {
    if (device === row?.device || !mayBeFollowed(this.fleet.following, device)) return;
    if (slot === undefined || row === null) return this.add(device);
    this.accept(slot, { device, interval: row.interval });
  }

  private add(device: Device): void {
    if (this.lastOf(device.id) !== undefined) {
      this.away ??= new Map(this.fleet.away);
      this.away.delete(device.id);
    }
    this.slots ??= new Map(this.fleet.slots);
    this.slots.set(device.id, this.rows.length);
    this.accept(this.rows.length, { device, interval: null });
  }

  private accept(slot: number, row: Row): void {
    this.rows[slot] = row;
    this.touched.add(slot);
    this.applied += 1;
  }
}

function slotsOf(rows: readonly Row[]): ReadonlyMap<string, number> {
  return new Map(rows.map((row, slot) => [row.device.id, slot]));
}

function replaceAll(fleet: Fleet, { devices, measurements, malformed }: Loaded): Fleet {
  const told = newestById(devices);
  const rows = [...told.values()].flatMap((device) => keepOrReplace(fleet, device));
  const sameDevices = rows.length === fleet.rows.length && rows.every((row, slot) => fleet.rows[slot]?.device.id === row.device.id);
  const slots = sameDevices ? fleet.slots : slotsOf(rows);
  return withHeld({
    ...withTally(fleet, { malformed }),
    rows,
    slots,
    away: awayFrom(slots, fleet.away, [...fleet.rows.map(({ device }) => device), ...told.values()]),
    measurements: measurements.length > 0 ? measurements : fleet.measurements,
    traits: widen(new Map(), rows.map(({ device }) => device)),
    touched: rows.flatMap((row, slot) => (fleet.rows[slot] === row ? [] : [slot])),
  });
}

/** The newest known states of the devices without a slot. */
function awayFrom(slots: Fleet["slots"], before: Fleet["away"], devices: readonly Device[]): Fleet["away"] {
  const away = new Map(before);
  for (const device of devices) {
    const last = away.get(device.id);
    if (slots.has(device.id)) away.delete(device.id);
    else if (last === undefined || device.version > last.version) remember(away, device);
  }
  return away;
}

/** More than a fleet has: only one whose devices get new names all the time comes here. */
export const MOST_AWAY = 50_000;

function remember(away: Map<string, Device>, device: Device): void {
  away.set(device.id, device);
  const [first] = away.size > MOST_AWAY ? away.keys() : [];
  if (first !== undefined) away.delete(first);
}

function catchUp(fleet: Fleet, { devices, elsewhere, measurements, malformed }: Loaded & { readonly elsewhere: readonly Device[] }): Fleet {
  // Reports were missed in between, so the time between the two says nothing about the interval.
  const draft = new Draft(fleet, (row) => row.interval);
  for (const device of devices) draft.answer(device);
  for (const device of elsewhere) draft.leave(device);
  return withHeld({
    ...draft.finish(),
    // Only live messages are counted: catch-ups always repeat some rows.
    tally: withTally(fleet, { malformed }).tally,
    measurements: measurements.length > 0 ? measurements : fleet.measurements,
  });
}

/** Removes the rows that are no longer followed; those that are followed now come with the next snapshot. */
function follow(fleet: Fleet, following: Following): Fleet {
  const rows = fleet.rows.filter(({ device }) => mayBeFollowed(following, device));
  if (rows.length === fleet.rows.length) return { ...fleet, following, touched: [] };
  const slots = slotsOf(rows);
  return { ...fleet, following, rows, slots, away: awayFrom(slots, fleet.away, fleet.rows.map(({ device }) => device)), touched: [] };
}

/** Applies the messages that were held back on top of a reply. */
function withHeld(replied: Fleet): Fleet {
  const applied = applyHeld(replied);
  const touched = replied.touched.flatMap((slot) => applied.slots.get(replied.rows[slot]?.device.id ?? "") ?? []);
  return { ...applied, touched: [...new Set([...touched, ...applied.touched])] };
}

/** A device that changed while the pages of a snapshot were read may be listed twice. */
function newestById(devices: readonly Device[]): Map<string, Device> {
  const newest = new Map<string, Device>();
  for (const device of devices) {
    const known = newest.get(device.id);
    if (known === undefined || device.version > known.version) newest.set(device.id, device);
  }
  return newest;
}

/**
 * The row of a device after a snapshot; none if it is not followed, because a service without filters also sends those.
 * When the snapshot has a lower version with a later report, the store was set up anew, and the snapshot wins. When it has
 * a lower version with an earlier report, live messages were faster than the snapshot, and the known state wins. Of a device
 * that a catch-up only said to be elsewhere no report is known; the snapshot was asked for later and wins. It also wins over a
 * state that could not be read before.
 */
function keepOrReplace(fleet: Fleet, device: Device): Row | readonly [] {
  const row = rowOf(fleet, device.id);
  if (isUnreadable(device)) return marked(fleet, row, damaged(device, newestOf(fleet, device.id)));
  if (row !== undefined && !isUnreadable(row.device) && device.version <= row.device.version && !isLater(device, row.device)) return row;
  const last = row === undefined ? fleet.away.get(device.id) : undefined;
  if (last !== undefined && device.version < last.version && last.reportedAt !== null && !isLater(device, last)) return [];
  return isFollowed(fleet.following, device) ? { device, interval: row?.interval ?? null } : [];
}

function marked({ following }: Fleet, row: Row | undefined, device: Device): Row | readonly [] {
  if (device === row?.device) return row;
  return mayBeFollowed(following, device) ? { device, interval: row?.interval ?? null } : [];
}

function isLater(device: Device, than: Device): boolean {
  return device.reportedAt !== null && than.reportedAt !== null && device.reportedAt > than.reportedAt;
}

/** Weight of the newest gap: about the last five reports decide, so that a changed interval is learnt soon. */
const NEWEST_GAP = 0.3;
/** A gap longer than this many usual ones is an outage and counts as this many. */
const LONGEST_GAP = 4;

function learnInterval(row: Row, device: Device): number | null {
  if (device.reportedAt === null || row.device.reportedAt === null) return row.interval;
  const gap = device.reportedAt - row.device.reportedAt;
  if (gap <= 0) return row.interval;
  if (row.interval === null) return gap;
  return row.interval + NEWEST_GAP * (Math.min(gap, LONGEST_GAP * row.interval) - row.interval);
}

function withTally(fleet: Fleet, more: Partial<Tally>): Fleet {
  const { applied = 0, dropped = 0, malformed = 0 } = more;
  if (applied + dropped + malformed === 0) return fleet;
  const { tally } = fleet;
  return {
    ...fleet,
    tally: { applied: tally.applied + applied, dropped: tally.dropped + dropped, malformed: tally.malformed + malformed },
  };
}
