/** A world in virtual time in which everything goes wrong by chance, always the same for the same seed. */
import { LinkError, type Connection, type Time } from "../src/convergence";
import { isFollowed } from "../src/core/following";

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

/** What is known of one device. */
export interface Known {
  readonly version: number;
  readonly area: string;
}

export type States = ReadonlyMap<string, Known>;

/**
 * `old` is the predecessor: neither cursors nor filters nor subscriptions. The others differ in whether every change is
 * sent to everybody, or to the groups that it concerns.
 */
export type Service = "old" | "broadcast" | "groups";

export const AREAS = ["Bondi", "Manly", "Perth", "Sydney"] as const;
/** No group can be called so. */
export const REFUSED = "Refused";

const DEVICES = 24;
const PAGE = 5;
const PROCESSES = 3;
/** For this long a process believes that an empty group is still empty. */
const BELIEF = 5_000;

/** The store, `getdevicestate`, `subscriptions` and the push service. */
export class Storm {
  readonly schedule = new Schedule();
  readonly chance: () => number;
  raging = true;
  /** Requests that found their connection gone. */
  unknown = 0;
  private readonly connections: StormConnection[] = [];
  private readonly written: string[] = [];
  /** Devices whose stored state cannot be read. */
  private readonly damaged = new Set<string>();
  private readonly mended = new Map<string, number>();
  /** How many have been so. */
  tampered = 0;
  /** The area of each version of each device, beginning with version 1. */
  private readonly areas = new Map<string, string[]>();
  /** When each process last found a group empty. */
  private readonly empty = Array.from({ length: PROCESSES }, () => new Map<string, number>());

  constructor(seed: number, readonly service: Service) {
    this.chance = dice(seed);
  }

  get states(): States {
    return new Map([...this.areas].map(([id, areas]) => [id, { version: areas.length, area: areas.at(-1) ?? "" }]));
  }

  get time(): Time {
    return { now: () => this.schedule.now, after: (milliseconds, run) => this.schedule.after(milliseconds, run), chance: this.chance };
  }

  /** True with this probability while the storm rages, and never afterwards. */
  misfortune(probability: number): boolean {
    return this.chance() < probability && this.raging;
  }

  between(low: number, high: number): number {
    return Math.round(low + this.chance() * (high - low));
  }

  connect(): StormConnection {
    const connection = new StormConnection(this, `connection/${this.connections.length}`);
    this.connections.push(connection);
    return connection;
  }

  /** A batch is committed, then pushed. Some devices report all the time, others hardly ever. Now and then one moves. */
  write(): void {
    this.tamper();
    const numbers = Array.from({ length: this.between(1, 4) }, () => Math.floor(this.chance() ** 3 * DEVICES));
    const ids = new Set(numbers.filter((number) => !this.damaged.has(`device-${number}`)));
    const changes = [...ids].map((number) => {
      const id = `device-${number}`;
      const areas = this.areas.get(id) ?? [];
      const [left, home] = [areas.at(-1), AREAS[number % AREAS.length] ?? ""];
      const area = this.chance() < 0.2 ? (AREAS[this.between(0, AREAS.length - 1)] ?? "") : (left ?? home);
      this.areas.set(id, [...areas, area]);
      this.written.push(id);
      return { id, groups: ["all", `device:${id}`, `geo:${area}`, ...(left === undefined || left === area ? [] : [`geo:${left}`])] };
    });
    this.publish(changes);
  }

  /** Whether the stored state could not be read at some moment since then. */
  wasDamaged(id: string, since: number): boolean {
    return this.damaged.has(id) || (this.mended.get(id) ?? -Infinity) >= since;
  }

  /** Somebody makes rows unreadable, and mends them. Their readings are not counted meanwhile, and nobody is told. */
  private tamper(): void {
    for (const id of [...this.damaged]) {
      if (this.raging && this.chance() < 0.8) continue;
      this.damaged.delete(id);
      this.mended.set(id, this.schedule.now);
      this.written.push(id);
    }
    const id = `device-${this.between(0, DEVICES - 1)}`;
    if (this.service === "old" || !this.areas.has(id) || !this.misfortune(0.1)) return;
    this.damaged.add(id);
    this.written.push(id);
    this.tampered += 1;
  }

  private publish(changes: readonly { readonly id: string; readonly groups: readonly string[] }[]): void {
    if (this.service !== "groups") return this.send(() => true, changes.map(({ id }) => this.state(id)));
    const empty = this.empty[this.between(0, PROCESSES - 1)] ?? new Map<string, number>();
    for (const group of new Set(changes.flatMap(({ groups }) => groups))) {
      if (this.schedule.now - (empty.get(group) ?? -Infinity) < BELIEF) continue;
      if (!this.connections.some((connection) => connection.isIn(group))) empty.set(group, this.schedule.now);
      this.send((connection) => connection.isIn(group), changes.filter(({ groups }) => groups.includes(group)).map(({ id }) => this.state(id)));
    }
  }

  private send(to: (connection: StormConnection) => boolean, frame: unknown): void {
    for (const connection of this.connections) if (to(connection)) connection.push(frame);
  }

  readonly fetch: typeof fetch = (input, init) =>
    new Promise((resolve, reject) => {
      init?.signal?.addEventListener("abort", () => reject(new Error("aborted")));
      if (this.misfortune(0.03)) return;
      const way = (): number => this.between(2, this.raging && this.chance() < 0.2 ? 2_000 : 100);
      this.schedule.after(way(), () => {
        const reply = this.misfortune(0.1) ? answer(503, { code: "unavailable", error: "?" }) : this.reply(init?.method ?? "GET", new URL(String(input)));
        this.schedule.after(way(), () => (this.misfortune(0.05) ? reject(new TypeError("network")) : resolve(reply)));
      });
    });

  private reply(method: string, { pathname, searchParams }: URL): Response {
    if (!pathname.endsWith("/subscriptions")) return this.devices(searchParams);
    return this.subscription(method, searchParams.get("group") ?? "", searchParams.get("connectionId"));
  }

  private subscription(method: string, group: string, id: string | null): Response {
    if (this.service === "old") return answer(404, undefined);
    const connection = this.connections.find((one) => one.isKnownAs(id));
    if (connection === undefined) {
      this.unknown += 1;
      return answer(404, { code: "unknown_connection", error: "?" });
    }
    if (group === `geo:${REFUSED}`) return answer(400, { code: "bad_group", error: "?" });
    if (method === "PUT") connection.enter(group);
    else connection.leave(group);
    const named = method === "PUT" && this.misfortune(0.03) ? group.slice(0, -1) : group;
    return answer(200, { group: named, settlesAfterSeconds: BELIEF / 1000 });
  }

  /** The first page decides which devices the pages hold; each page has their states of the moment when it is read. */
  private devices(query: URLSearchParams): Response {
    const modern = this.service !== "old";
    if (modern && this.misfortune(0.1)) return answer(429, { code: "busy", error: "?" }, { "retry-after": `${this.between(1, 40)}` });
    const since = modern ? query.get("since") : null;
    if (since !== null && this.misfortune(0.05)) return answer(400, { code: "bad_cursor", error: "take a full snapshot" });
    const [end = this.written.length, offset = 0] = (query.get("continuation") ?? "").split(".").filter(Boolean).map(Number);
    const ids = [...new Set(this.written.slice(Number(since ?? 0), end))];
    const following = { areas: modern ? query.getAll("geo") : [], devices: modern ? query.getAll("deviceId") : [] };
    const part = ids.slice(offset, offset + PAGE);
    const wanted = new Set(part.filter((id) => this.damaged.has(id) || isFollowed(following, { deviceId: id, area: this.areas.get(id)?.at(-1) ?? "" })));
    const devices = [...wanted].map((id) => this.state(id));
    const elsewhere = since === null ? [] : part.filter((id) => !wanted.has(id)).map((id) => this.state(id));
    const more = offset + PAGE < ids.length ? { continuation: `${end}.${offset + PAGE}` } : {};
    return answer(200, { devices, measurements: [], elsewhere, ...more, ...(modern ? { cursor: `${end}` } : {}) });
  }

  private state(deviceId: string): unknown {
    if (this.damaged.has(deviceId)) return { deviceId, geo: null, count: null, version: 0, problem: "damaged", reportedAt: null };
    const areas = this.areas.get(deviceId) ?? [];
    return { deviceId, geo: areas.at(-1), version: areas.length, count: 1, reportedAt: new Date(this.schedule.now).toISOString() };
  }
}

export class StormConnection implements Connection {
  connectionId: string | null = null;
  /** It is up, but brings no messages, and reports no error. */
  deaf = false;
  /** What was in the store when the connection was last started or added to a group. */
  subscribed: States | null = null;
  subscribedAt = -Infinity;
  private readonly groups = new Set<string>();
  private closed = false;
  private message: (argument: unknown) => void = () => undefined;
  private close: () => void = () => undefined;

  constructor(private readonly storm: Storm, private readonly id: string) {}

  start(): Promise<void> {
    const { storm } = this;
    return new Promise((resolve, reject) => {
      if (storm.misfortune(0.03)) return;
      if (storm.misfortune(0.2)) return reject(new LinkError({ kind: "unreachable", step: "negotiate" }));
      storm.schedule.after(storm.between(2, 100), () => {
        this.deaf = storm.misfortune(0.2);
        this.connectionId = this.closed ? null : this.id;
        this.subscribed = storm.states;
        this.subscribedAt = storm.schedule.now;
        storm.schedule.after(storm.between(2, 100), resolve);
        storm.schedule.after(storm.between(500, 40_000), () => this.cut());
      });
    });
  }

  stop(): Promise<void> {
    this.closed = true;
    this.connectionId = null;
    return Promise.resolve();
  }

  onMessage(handler: (argument: unknown) => void): void {
    this.message = handler;
  }

  onClose(handler: () => void): void {
    this.close = handler;
  }

  /** Whether the service knows it under this id. */
  isKnownAs(id: string | null): boolean {
    return !this.closed && this.id === id;
  }

  isIn(group: string): boolean {
    return !this.closed && this.groups.has(group);
  }

  enter(group: string): void {
    this.groups.add(group);
    this.subscribed = this.storm.states;
    this.subscribedAt = this.storm.schedule.now;
  }

  leave(group: string): void {
    this.groups.delete(group);
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

  /** The service forgets it, and the client learns that a little later. */
  private cut(): void {
    if (this.closed || !this.storm.raging) return;
    this.closed = true;
    this.storm.schedule.after(this.storm.between(0, 500), () => {
      this.connectionId = null;
      this.close();
    });
  }
}

/** No more of a `Response` than is read, so that reading it takes no time of its own. */
function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  const reply = { ok: status === 200, status, headers: new Headers(headers), json: () => Promise.resolve(body) };
  return reply as unknown as Response;
}
