/** What each device has reported since the page was opened. Its size is bounded for any number of devices. */
import { isUnreadable, type Device } from "./wire";

/** Samples of all devices together. With five numbers of 8 bytes per sample these are 24 MB, which a phone can spare. */
export const TOTAL_SAMPLES = 600_000;
/** Half an hour at one report per second. */
export const MOST_PER_DEVICE = 1800;
/** Enough for a sparkline. With 10,000 devices, each keeps this many. */
export const LEAST_PER_DEVICE = 60;

/** The samples of all devices. */
export class History {
  private readonly series = new Map<string, Series>();
  private favourites: ReadonlySet<string> = new Set();

  /** These few devices keep `MOST_PER_DEVICE` samples, because somebody looks at them closely. */
  favour(ids: Iterable<string>): void {
    this.favourites = new Set(ids);
  }

  /** Adds the numbers of a state. One without a time, or older than the last sample, is left out. */
  record(device: Device): void {
    if (device.reportedAt === null || isUnreadable(device)) return;
    let series = this.series.get(device.id);
    if (series === undefined) this.series.set(device.id, (series = new Series()));
    const capacity = this.favourites.has(device.id) ? MOST_PER_DEVICE : this.capacity();
    series.push(device.reportedAt, device.values, capacity);
  }

  of(id: string): Series | undefined {
    return this.series.get(id);
  }

  /** Removes the devices that are not in `known`. */
  retain(known: ReadonlyMap<string, unknown>): void {
    if (this.series.size <= known.size) return;
    for (const id of this.series.keys()) if (!known.has(id)) this.series.delete(id);
  }

  /** How many samples each device may keep with the present number of devices. */
  capacity(): number {
    const share = Math.floor(TOTAL_SAMPLES / Math.max(1, this.series.size));
    return Math.min(MOST_PER_DEVICE, Math.max(LEAST_PER_DEVICE, share));
  }
}

/** The samples of one device, oldest first: a ring buffer of times, and one of values for each measurement. */
export class Series {
  private total = 0;
  private times = new Float64Array(8);
  private readonly columns = new Map<string, Float64Array>();
  private start = 0;
  private size = 0;

  get length(): number {
    return this.size;
  }

  /** The number of this sample since the beginning; it shows whether there is something new to draw. */
  ordinal(index: number): number {
    return this.total - (this.size - 1 - index);
  }

  push(time: number, values: Readonly<Record<string, number>>, capacity: number): void {
    const last = this.size > 0 ? this.time(this.size - 1) : -Infinity;
    if (time < last) return;
    // Of two states in the same millisecond, the newer one is kept.
    if (time === last) this.size -= 1;
    this.makeRoom(capacity);
    const slot = (this.start + this.size) % this.times.length;
    this.times[slot] = time;
    for (const name of Object.keys(values)) this.columnFor(name);
    for (const [name, column] of this.columns) column[slot] = values[name] ?? NaN;
    this.size += 1;
    this.total += 1;
  }

  time(index: number): number {
    return this.times[(this.start + index) % this.times.length] ?? NaN;
  }

  /** NaN where the sample does not have the measurement. */
  value(name: string, index: number): number {
    return this.columns.get(name)?.[(this.start + index) % this.times.length] ?? NaN;
  }

  /** Index of the last sample at or before a time; -1 when all are later. */
  indexAt(time: number): number {
    let [low, high] = [0, this.size];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time(middle) <= time) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  private columnFor(name: string): void {
    if (!this.columns.has(name)) this.columns.set(name, new Float64Array(this.times.length).fill(NaN));
  }

  private makeRoom(capacity: number): void {
    if (this.size >= capacity) this.dropOldest(this.size - capacity + 1);
    const tooLarge = this.times.length > 2 * capacity;
    if (this.size === this.times.length || tooLarge) this.resize(Math.min(tooLarge ? capacity : 2 * this.size, capacity));
  }

  private dropOldest(count: number): void {
    this.start = (this.start + count) % this.times.length;
    this.size -= count;
  }

  private resize(length: number): void {
    const times = unrolled(this.times, this.start, this.size, length);
    for (const [name, column] of this.columns) this.columns.set(name, unrolled(column, this.start, this.size, length));
    this.times = times;
    this.start = 0;
  }
}

function unrolled(ring: Float64Array, start: number, size: number, length: number): Float64Array<ArrayBuffer> {
  const next = new Float64Array(length).fill(NaN);
  for (let index = 0; index < size; index += 1) next[index] = ring[(start + index) % ring.length] ?? NaN;
  return next;
}
