/** Updates per second over the last five seconds. */

const BUCKET = 250;
const BUCKETS = 20;

/** A ring of quarter-second counters. The caller gives the time. */
export class Rate {
  private readonly counts = new Uint32Array(BUCKETS);
  private readonly started: number;
  private head = 0;

  constructor(now: number) {
    this.started = now;
    this.head = Math.floor(now / BUCKET);
  }

  add(count: number, now: number): void {
    this.turnTo(now);
    const slot = this.head % BUCKETS;
    this.counts[slot] = (this.counts[slot] ?? 0) + count;
  }

  perSecond(now: number): number {
    this.turnTo(now);
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    const covered = Math.min(now - this.started, BUCKETS * BUCKET);
    return (total * 1000) / Math.max(covered, 1000);
  }

  private turnTo(now: number): void {
    const head = Math.floor(now / BUCKET);
    const steps = Math.min(Math.max(head - this.head, 0), BUCKETS);
    for (let step = 1; step <= steps; step += 1) this.counts[(this.head + step) % BUCKETS] = 0;
    if (steps === BUCKETS) this.counts.fill(0);
    this.head = Math.max(head, this.head);
  }
}
