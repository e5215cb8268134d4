/** A world in virtual time in which everything goes wrong by chance, always the same for the same seed. */
import { LinkError, type Connection, type Time } from "../src/convergence";

/** Takes turns in the order of time. Between two turns all promises that can go on do so. */
export class Schedule {
  now = Date.UTC(2026, 10, 21);
  private turns: { readonly at: number; readonly place: number; readonly run: () => void }[] = [];
  private places = 0;

  after(milliseconds: number, run: () => void): () => void {
    const turn = { at: this.now + Math.max(0, milliseconds), place: (this.places += 1), run };
    this.turns.push(turn);
    return () => void (this.turns = this.turns.filter((other) => other !== turn));
  }

  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (let next = this.next(end); next !== undefined; next = this.next(end)) {
      this.now = next.at;
      next.run();
      for (let tick = 0; tick < 25; tick += 1) await Promise.resolve();
    }
    this.now = end;
  }

  private next(end: number): { readonly at: number; readonly run: () => void } | undefined {
    this.turns.sort((a, b) => a.at - b.at || a.place - b.place);
    return (this.turns[0]?.at ?? Infinity) <= end ? this.turns.shift() : undefined;
  }
}

/** Numbers from 0 to 1 that look random (mulberry32). */
export function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Versions = ReadonlyMap<string, number>;

const DEVICES = 24;
const PAGE = 5;

/** The store, `getdevicestate` and the push service. */
export class Storm {
  readonly schedule = new Schedule();
  readonly chance: () => number;
  raging = true;
  private readonly connections: StormConnection[] = [];
  private readonly written: string[] = [];
  private readonly states = new Map<string, number>();

  /** `cursors`: whether the service is new enough to know what changed since. */
  constructor(seed: number, private readonly cursors: boolean) {
    this.chance = dice(seed);
  }

  get versions(): Versions {
    return new Map(this.states);
  }

  get time(): Time {
    return { now: () => this.schedule.now, after: (milliseconds, run) => this.schedule.after(milliseconds, run), chance: this.chance };
  }

  /** True so often while the storm rages, and never after. */
  misfortune(probability: number): boolean {
    return this.chance() < probability && this.raging;
  }

  between(low: number, high: number): number {
    return Math.round(low + this.chance() * (high - low));
  }

  connect(): StormConnection {
    const connection = new StormConnection(this);
    this.connections.push(connection);
    return connection;
  }

  /** A batch is committed, then pushed. Some devices report all the time, others hardly ever. */
  write(): void {
    const ids = new Set(Array.from({ length: this.between(1, 4) }, () => `device-${Math.floor(this.chance() ** 3 * DEVICES)}`));
    for (const id of ids) {
      this.states.set(id, (this.states.get(id) ?? 0) + 1);
      this.written.push(id);
    }
    const frame = [...ids].map((id) => this.state(id));
    for (const connection of this.connections) connection.push(frame);
  }

  readonly fetch: typeof fetch = (input, init) =>
    new Promise((resolve, reject) => {
      init?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
      if (this.misfortune(0.03)) return;
      const way = (): number => this.between(2, this.raging && this.chance() < 0.2 ? 2_000 : 100);
      this.schedule.after(way(), () => {
        const reply = this.misfortune(0.1) ? answer(503, { code: "unavailable", error: "?" }) : this.reply(new URL(String(input)).searchParams);
        this.schedule.after(way(), () => (this.misfortune(0.05) ? reject(new TypeError("network")) : resolve(reply)));
      });
    });

  /** A page names its devices by what had been written when the first one was asked for, and tells them as they are now. */
  private reply(query: URLSearchParams): Response {
    const since = this.cursors ? query.get("since") : null;
    if (since !== null && this.misfortune(0.05)) return answer(400, { code: "bad_cursor", error: "take a full snapshot" });
    const [end = this.written.length, offset = 0] = (query.get("continuation") ?? "").split(".").filter(Boolean).map(Number);
    const ids = [...new Set(this.written.slice(Number(since ?? 0), end))];
    const devices = ids.slice(offset, offset + PAGE).map((id) => this.state(id));
    const more = offset + PAGE < ids.length ? { continuation: `${end}.${offset + PAGE}` } : {};
    return answer(200, { devices, measurements: [], ...more, ...(this.cursors ? { cursor: `${end}` } : {}) });
  }

  private state(deviceId: string): unknown {
    return { deviceId, version: this.states.get(deviceId), count: 1, reportedAt: new Date(this.schedule.now).toISOString() };
  }
}

export class StormConnection implements Connection {
  /** It is up and brings nothing, and nobody says so. */
  deaf = false;
  /** What was in the store when messages began to be sent to it. */
  subscribed: Versions | null = null;
  private closed = false;
  private message: (argument: unknown) => void = () => undefined;
  private close: () => void = () => undefined;

  constructor(private readonly storm: Storm) {}

  start(): Promise<void> {
    const { storm } = this;
    return new Promise((resolve, reject) => {
      if (storm.misfortune(0.03)) return;
      if (storm.misfortune(0.2)) return reject(new LinkError({ kind: "unreachable", step: "negotiate" }));
      storm.schedule.after(storm.between(2, 100), () => {
        this.deaf = storm.misfortune(0.2);
        this.subscribed = storm.versions;
        storm.schedule.after(storm.between(2, 100), resolve);
        storm.schedule.after(storm.between(500, 40_000), () => this.cut());
      });
    });
  }

  stop(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }

  onMessage(handler: (argument: unknown) => void): void {
    this.message = handler;
  }

  onClose(handler: () => void): void {
    this.close = handler;
  }

  push(frame: unknown): void {
    const { storm } = this;
    if (this.subscribed === null || this.closed || this.deaf || storm.misfortune(0.1)) return;
    for (let copies = storm.misfortune(0.1) ? 2 : 1; copies > 0; copies -= 1) {
      storm.schedule.after(storm.between(1, storm.misfortune(0.2) ? 5_000 : 50), () => {
        if (!this.closed) this.message(frame);
      });
    }
  }

  private cut(): void {
    if (this.closed || !this.storm.raging) return;
    this.closed = true;
    this.close();
  }
}

/** No more of a `Response` than is read, so that reading it takes no time of its own. */
function answer(status: number, body: unknown): Response {
  const reply = { ok: status === 200, status, headers: new Headers(), json: () => Promise.resolve(body) };
  return reply as unknown as Response;
}
