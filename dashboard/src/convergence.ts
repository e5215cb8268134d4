/**
 * A copy of the device states, of all devices or of those that are followed, that converges on the store. This is the whole
 * client side of fieldcast's protocol. It needs no document and runs in a page as well as in Node (`npm run build:node`
 * makes `dist-node/convergence.js`). To use it, nothing else in `link/` and `core/` has to be known.
 *
 * ```ts
 * import { Replica, signalrConnection, SYSTEM_TIME } from "./convergence";
 *
 * const base = "http://127.0.0.1:7071/api";
 * const ports = { base, connect: () => signalrConnection(base), fetch, time: SYSTEM_TIME };
 * const watcher = {
 *   onChange: () => console.log(replica.status, replica.fleet.rows.length),
 *   onStep: (fleet) => fleet.touched.forEach((slot) => console.log(fleet.rows[slot]?.device)),
 * };
 * const replica = new Replica(ports, watcher, { areas: ["Sydney"], devices: [] });
 * replica.start();
 * setTimeout(() => replica.follow(EVERYTHING), 60_000);
 * process.on("SIGINT", () => replica.stop());
 * ```
 *
 * What it promises when messages are lost, repeated or delayed and connections break:
 * - It subscribes before it asks the store, and holds messages back until the store has answered, so that no change is lost
 *   in between. It asks once more when every process of the service knows of the subscription.
 * - A device's state is replaced only by one with a higher version, so that no device goes back in time. A device leaves
 *   only with a newer state that is not followed, or with a full snapshot, and no older state brings it back.
 * - After a lost connection it asks only for what has changed since (`cursor`), and for everything when the service no
 *   longer accepts the cursor.
 * - When it has heard nothing for a while, it asks the store. When the answer holds changes that no message brought, it
 *   replaces the connection.
 * - When the service asks to be left alone for a while, it is. When it refuses the name of an area or device, the others are
 *   followed, or everything when none is left; `following` says what is followed, and `link.refused` what is not.
 * - `status` tells at any moment whether it is `live`, `catching up`, `stale` or `offline`.
 */
import { clockOffset, narrowClock, type ClockRange } from "./core/clock";
import { hasNews, type Fleet } from "./core/fleet";
import { EVERYTHING, isSameFollowing, type Following } from "./core/following";
import { Store } from "./core/store";
import { readMessage } from "./core/wire";
import { Link, type Connection, type Time } from "./link/link";
import type { Answer, LinkState } from "./link/machine";
import { spread } from "./link/retry-after";
import { loadSnapshot, type Snapshot } from "./link/snapshot";
import { statusOf, type Status } from "./link/status";
import { joinGroups, leaveGroups } from "./link/subscriptions";

export type { ClockRange } from "./core/clock";
export type { Fleet, Row } from "./core/fleet";
export { EVERYTHING, type Following } from "./core/following";
export { sourceId, sourceLabel, sourceOf, type Source } from "./core/source";
export type { Device, Measurement } from "./core/wire";
export { LinkError, type Cause } from "./link/cause";
export type { Connection, Time } from "./link/link";
export type { LinkState } from "./link/machine";
export { signalrConnection, type ConnectionOptions } from "./link/signalr";
export type { Status } from "./link/status";

/** What a replica needs of the outside world. */
export interface Ports {
  /** Address under which `negotiate`, `subscriptions` and `getdevicestate` are, without a slash at the end. */
  readonly base: string;
  /** A new connection, not yet started. */
  connect(): Connection;
  readonly fetch: typeof fetch;
  readonly time: Time;
}

/** The listener of a replica. */
export interface Watcher {
  /** Something may look different now. Called often: schedule a repaint here, and do the work there. */
  onChange(): void;
  /** Called for every step that is applied to the fleet; `touched` says which rows it changed. */
  onStep(fleet: Fleet): void;
}

/** The machine's own clock, timers and random numbers. */
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
    private readonly ports: Ports,
    private readonly watcher: Watcher,
    following: Following = EVERYTHING,
  ) {
    const { base, fetch, time } = ports;
    // A browser's fetch must be called as a function, not as a member.
    const source = {
      base,
      fetch: (input: RequestInfo | URL, init?: RequestInit) => fetch(input, init),
      now: () => time.now(),
      wait: (milliseconds: number) => new Promise<void>((resolve) => void time.after(spread(milliseconds, time.chance()), resolve)),
    };
    this.store = new Store((fleet) => this.onStep(fleet), following);
    this.connection = new Link(
      {
        connect: () => ports.connect(),
        join: (id, groups, signal) => joinGroups(source, id, groups, signal),
        leave: (id, groups) => leaveGroups(source, id, groups),
        load: (wanted, signal, progress) => loadSnapshot(source, wanted, signal, progress),
        time,
      },
      {
        onChange: () => watcher.onChange(),
        buffer: () => this.store.dispatch({ kind: "buffer" }),
        onMessage: (argument) => this.onMessage(argument),
        onSnapshot: (snapshot) => this.onSnapshot(snapshot),
        release: () => this.store.dispatch({ kind: "release" }),
        onRefused: (left) => this.onRefused(left),
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

  /** It also changes as time passes: read it again every second or so. */
  get status(): Status {
    return statusOf(this.connection.state, this.ports.time.now());
  }

  /** What is known of the service's clock; `null` before the first answer. */
  get clock(): ClockRange | null {
    return this.range;
  }

  /** When the last live message arrived, by the service's clock. */
  get lastMessage(): number | null {
    return this.messageAt;
  }

  /** When the last message or store answer arrived, by the service's clock. */
  get heardAt(): number | null {
    return this.toldAt;
  }

  /** The current time by the service's clock. */
  serviceTime(): number {
    return this.ports.time.now() + clockOffset(this.range);
  }

  start(): void {
    this.connection.start();
  }

  /** Ends the connection and all requests, so that Node can exit. The fleet is kept, and `start` goes on from there. */
  stop(): void {
    this.connection.stop();
  }

  /**
   * Follows something else. Devices that are no longer followed are gone when this returns. The others come with the
   * service's answer; until then the status is `catching up`.
   */
  follow(following: Following): void {
    if (isSameFollowing(following, this.following)) return;
    this.store.dispatch({ kind: "follow", following });
    this.flush();
    this.connection.follow(following);
  }

  /** Skips the current wait, because the network is back or somebody looks at the page. */
  retryNow(): void {
    this.connection.retryNow();
  }

  /** Applies what has arrived. Reading `fleet` does the same. */
  flush(): void {
    this.store.flush();
  }

  private onMessage(argument: unknown): void {
    const at = this.serviceTime();
    const { devices, malformed } = readMessage(argument);
    if (devices.length > 0) this.messageAt = this.toldAt = at;
    this.store.dispatch({ kind: "messages", devices, malformed, at });
  }

  private onSnapshot({ devices, elsewhere, measurements, malformed, clock, full }: Snapshot): Pick<Answer, "news" | "contradicted"> {
    if (clock !== null) this.range = narrowClock(this.range, clock);
    this.toldAt = this.serviceTime();
    const { contradictions } = this;
    const news = hasNews(this.fleet, [...devices, ...elsewhere]);
    const told = { devices, measurements, malformed };
    this.store.dispatch(full ? { kind: "snapshot", ...told } : { kind: "catchUp", elsewhere, ...told });
    this.flush();
    return { news, contradicted: this.contradictions > contradictions };
  }

  /** The devices that are now followed as well come with the next answer. */
  private onRefused(following: Following): void {
    this.store.dispatch({ kind: "follow", following });
    this.flush();
  }

  private onStep(fleet: Fleet): void {
    const contradicted = fleet.contradictions > this.contradictions;
    this.contradictions = fleet.contradictions;
    this.watcher.onStep(fleet);
    // Without effect while the store is being asked: the contradictions are then part of the answer.
    if (contradicted) this.connection.reload();
  }
}
