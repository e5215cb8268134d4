import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Link, type Connection, type Listener, type Ports } from "../src/link/link";
import { LinkError } from "../src/link/cause";
import { ATTEMPT_LIMIT, RELOAD_EVERY } from "../src/link/machine";
import type { Snapshot } from "../src/link/snapshot";

const SNAPSHOT: Snapshot = { devices: [], measurements: [], malformed: 0, clock: null };

/** One promise that the test settles. */
class Pending<T> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => Object.assign(this, { resolve, reject }));
}

class FakeConnection implements Connection {
  readonly starting = new Pending<void>();
  stopped = false;
  message: (argument: unknown) => void = () => undefined;
  close: () => void = () => undefined;
  start = (): Promise<void> => this.starting.promise;
  stop = (): Promise<void> => {
    this.stopped = true;
    return Promise.resolve();
  };
  onMessage = (handler: (argument: unknown) => void): void => void (this.message = handler);
  onClose = (handler: () => void): void => void (this.close = handler);
}

class World {
  readonly connections: FakeConnection[] = [];
  readonly loads: { readonly pending: Pending<Snapshot>; readonly signal: AbortSignal }[] = [];
  readonly log: string[] = [];
  readonly link: Link;

  constructor() {
    const ports: Ports = {
      connect: () => this.connections[this.connections.push(new FakeConnection()) - 1] ?? new FakeConnection(),
      load: (signal) => {
        const pending = new Pending<Snapshot>();
        this.loads.push({ pending, signal });
        return pending.promise;
      },
      now: () => Date.now(),
      chance: () => 0,
    };
    const listener: Listener = {
      changed: (state) => this.log.push(state.phase.kind),
      buffer: () => this.log.push("buffer"),
      message: (argument) => this.log.push(`message ${String(argument)}`),
      snapshot: () => this.log.push("snapshot"),
      release: () => this.log.push("release"),
    };
    this.link = new Link(ports, listener);
    this.link.start();
  }

  get connection(): FakeConnection {
    return this.connections.at(-1) ?? new FakeConnection();
  }

  async open(): Promise<void> {
    this.connection.starting.resolve();
    await settle();
  }

  async load(): Promise<void> {
    this.loads.at(-1)?.pending.resolve(SNAPSHOT);
    await settle();
  }

  taken(): readonly string[] {
    return this.log.splice(0);
  }
}

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a link", () => {
  it("holds messages back from before it connects until the snapshot is there", async () => {
    const world = new World();
    await world.open();
    world.connection.message("early");
    await world.load();
    world.connection.message("later");
    expect(world.taken()).toEqual(["buffer", "opening", "buffer", "loading", "message early", "snapshot", "live", "message later"]);
  });

  it("retries the first connection by itself", async () => {
    const world = new World();
    world.connection.starting.reject(new LinkError({ kind: "status", step: "negotiate", status: 503 }));
    await settle();
    expect(world.link.state).toMatchObject({ phase: { kind: "waiting" }, cause: { status: 503 } });
    await vi.advanceTimersByTimeAsync(500);
    expect(world.connections).toHaveLength(2);
    await world.open();
    await world.load();
    expect(world.link.state.phase.kind).toBe("live");
  });

  it("buffers and loads again after the connection ended", async () => {
    const world = new World();
    await world.open();
    await world.load();
    world.taken();
    world.connection.close();
    expect(world.taken()).toEqual(["release", "waiting"]);
    await vi.advanceTimersByTimeAsync(500);
    await world.open();
    await world.load();
    expect(world.taken()).toEqual(["buffer", "opening", "buffer", "loading", "snapshot", "live"]);
  });

  it("stops a connection it gave up, and hears it no more", async () => {
    const world = new World();
    await vi.advanceTimersByTimeAsync(ATTEMPT_LIMIT);
    const [first] = world.connections;
    expect(first?.stopped).toBe(true);
    world.taken();
    first?.message("ghost");
    first?.starting.resolve();
    await settle();
    expect(world.taken()).toEqual([]);
    expect(world.link.state.phase.kind).toBe("waiting");
  });

  it("drops a snapshot that comes after its session has ended", async () => {
    const world = new World();
    await world.open();
    world.connection.close();
    world.taken();
    expect(world.loads[0]?.signal.aborted).toBe(true);
    await world.load();
    expect(world.taken()).toEqual([]);
  });

  it("does not wait out the pause when told to retry", async () => {
    const world = new World();
    world.connection.starting.reject(new Error("down"));
    await settle();
    world.link.retryNow();
    expect(world.connections).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(world.connections).toHaveLength(2);
  });

  it("reloads every few minutes and lets messages through if that fails", async () => {
    const world = new World();
    await world.open();
    await world.load();
    world.taken();
    await vi.advanceTimersByTimeAsync(RELOAD_EVERY);
    expect(world.loads).toHaveLength(2);
    world.loads[1]?.pending.reject(new LinkError({ kind: "unreadable", step: "snapshot" }));
    await settle();
    expect(world.taken()).toEqual(["buffer", "live", "release", "live"]);
    expect(world.link.state.phase.kind).toBe("live");
  });
});
