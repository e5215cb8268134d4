/**
 * A copy of device states, all or those that are followed, that converges on the store: the whole client side of fieldcast's
 * protocol, without a document, for a page as well as for Node (`npm run build:node` makes `dist-node/convergence.js`).
 * Nothing else in `link/` and `core/` has to be known to use it.
 *
 * ```ts
 * import { Replica, signalrConnection, SYSTEM_TIME } from "./convergence";
 *
 * const base = "http://127.0.0.1:7071/api";
 * const ports = { base, connect: () => signalrConnection(base), fetch, time: SYSTEM_TIME };
 * const watcher = {
 *   stirred: () => console.log(replica.status, replica.fleet.rows.length),
 *   applied: (fleet) => fleet.touched.forEach((slot) => console.log(fleet.rows[slot]?.device)),
 * };
 * const replica = new Replica(ports, watcher, { areas: ["Sydney"], devices: [] });
 * replica.start();
 * setTimeout(() => replica.follow(EVERYTHING), 60_000);
 * process.on("SIGINT", () => replica.stop());
 * ```
 *
 * What it promises, whatever is lost, repeated, delayed or cut:
 * - it subscribes before it asks the store, and holds messages back until the store has answered, so nothing falls between;
 *   it asks once more when every process of the service knows of the subscription;
 * - a device's state is replaced only by one with a higher version, so no device ever goes back; a device leaves only by
 *   a newer state that is not followed, or by a full snapshot, and no older state brings it back;
 * - after a lost connection it asks only for what changed since (`cursor`), and for everything when that is refused;
 * - when nothing was heard for a while it asks the store, and a connection that should have told is made anew;
 * - `status` says which of `live`, `catching up`, `stale` and `offline` it is, at any moment.
 */
import { clockOffset, narrowClock, type ClockRange } from "./core/clock";
import { hasNews, type Fleet } from "./core/fleet";
import { EVERYTHING, isSameFollowing, type Following } from "./core/following";
import { Store } from "./core/store";
import { readMessage } from "./core/wire";
import { Link, type Connection, type Time } from "./link/link";
import type { Answer, LinkState } from "./link/machine";
import { loadSnapshot, type Snapshot } from "./link/snapshot";
import { statusOf, type Status } from "./link/status";
import { joinGroups, leaveGroups } from "./link/subscriptions";

export type { ClockRange } from "./core/clock";
export type { Fleet, Row } from "./core/fleet";
export { EVERYTHING, type Following } from "./core/following";
export type { Device, Measurement } from "./core/wire";
export { LinkError, type Cause } from "./link/cause";
export type { Connection, Time } from "./link/link";
export type { LinkState } from "./link/machine";
export { signalrConnection, type ConnectionOptions } from "./link/signalr";
export type { Status } from "./link/status";

/** The world that a replica lives in. */
export interface World {
  /** Address under which `negotiate`, `subscriptions` and `getdevicestate` are, without a slash at the end. */
  readonly base: string;
  /** A new connection, not yet started. */
  connect(): Connection;
  readonly fetch: typeof fetch;
  readonly time: Time;
}

/** Who is told. */
export interface Watcher {
  /** Something may look different now. Called often: a good time to plan a look, not to do work. */
  stirred(): void;
  /** One more step was applied to the fleet; `touched` says which rows it changed. No step is left out. */
  applied(fleet: Fleet): void;
}

/** The machine's own clock, timer and dice. */
export const SYSTEM_TIME: Time = {
  now: () => Date.now(),
  after: (milliseconds, run) => {
    const timer = setTimeout(run, milliseconds);
    return () => clearTimeout(timer);
  },
  chance: () => Math.random(),
};

export class Replica {
  private readonly store: Store;
  private readonly connection: Link;
  private contradictions = 0;
  private range: ClockRange | null = null;
  private messageAt: number | null = null;
  private toldAt: number | null = null;

  constructor(
    private readonly world: World,
    private readonly watcher: Watcher,
    following: Following = EVERYTHING,
  ) {
    const { base, fetch, time } = world;
    // A browser's fetch must be called as a function, not as a member.
    const source = { base, fetch: (input: RequestInfo | URL, init?: RequestInit) => fetch(input, init), now: () => time.now() };
    this.store = new Store((fleet) => this.applied(fleet), following);
    this.connection = new Link(
      {
        connect: () => world.connect(),
        join: (id, groups, signal) => joinGroups(source, id, groups, signal),
        leave: (id, groups) => leaveGroups(source, id, groups),
        load: (wanted, signal) => loadSnapshot(source, wanted, signal),
        time,
      },
      {
        changed: () => watcher.stirred(),
        buffer: () => this.store.dispatch({ kind: "buffer" }),
        message: (argument) => this.message(argument),
        loaded: (snapshot) => this.loaded(snapshot),
        release: () => this.store.dispatch({ kind: "release" }),
      },
      following,
    );
  }

  /** The devices as they are known now. */
  get fleet(): Fleet {
    this.flush();
    return this.store.fleet;
  }

  get following(): Following {
    return this.connection.state.following;
  }

  get link(): LinkState {
    return this.connection.state;
  }

  /** Depends on the time as well: ask again every second or so. */
  get status(): Status {
    return statusOf(this.connection.state, this.world.time.now());
  }

  /** What is known of the service's clock; `null` before its first answer. */
  get clock(): ClockRange | null {
    return this.range;
  }

  /** When the last live message came, by the service's clock. */
  get lastMessage(): number | null {
    return this.messageAt;
  }

  /** When the service last told anything of the devices, by its clock. */
  get heardAt(): number | null {
    return this.toldAt;
  }

  /** The time by the service's clock. */
  serviceTime(): number {
    return this.world.time.now() + clockOffset(this.range);
  }

  start(): void {
    this.connection.start();
  }

  /** Ends the connection and whatever is under way, so that Node can end. What is known stays; `start` goes on from it. */
  stop(): void {
    this.connection.stop();
  }

  /**
   * Follows something else. Devices that are not wanted any more are gone when this returns; the others come with the
   * service's answer, until which the status is `catching up`.
   */
  follow(following: Following): void {
    if (isSameFollowing(following, this.following)) return;
    this.store.dispatch({ kind: "follow", following });
    this.flush();
    this.connection.follow(following);
  }

  /** Now is a good time to try: the network is back, or somebody looks. */
  retryNow(): void {
    this.connection.retryNow();
  }

  /** Applies what came in. Reading `fleet` does the same; this is for times when nobody reads. */
  flush(): void {
    this.store.flush();
  }

  private message(argument: unknown): void {
    const at = this.serviceTime();
    const { devices, malformed } = readMessage(argument);
    if (devices.length > 0) this.messageAt = this.toldAt = at;
    this.store.dispatch({ kind: "messages", devices, malformed, at });
  }

  private loaded({ devices, elsewhere, measurements, malformed, clock, full }: Snapshot): Pick<Answer, "news" | "contradicted"> {
    if (clock !== null) this.range = narrowClock(this.range, clock);
    this.toldAt = this.serviceTime();
    const { contradictions } = this;
    const news = hasNews(this.fleet, [...devices, ...elsewhere]);
    const told = { devices, measurements, malformed };
    this.store.dispatch(full ? { kind: "snapshot", ...told } : { kind: "catchUp", elsewhere, ...told });
    this.flush();
    return { news, contradicted: this.contradictions > contradictions };
  }

  private applied(fleet: Fleet): void {
    const contradicted = fleet.contradictions > this.contradictions;
    this.contradictions = fleet.contradictions;
    this.watcher.applied(fleet);
    // While the store is being asked, this says nothing: the answer's own contradictions go with it.
    if (contradicted) this.connection.reload();
  }
}
