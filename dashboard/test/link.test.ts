import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EVERYTHING, SYSTEM_TIME, type Following } from "../src/convergence";
import { Link, type Connection, type LinkPorts, type Listener } from "../src/link/link";
import { LinkError, RefusedGroups } from "../src/link/cause";
import { ATTEMPT_LIMIT, GRACE } from "../src/link/machine";
import { QUIET } from "../src/link/quiet";
import type { Snapshot } from "../src/link/snapshot";

const SNAPSHOT: Snapshot = { devices: [], elsewhere: [], measurements: [], malformed: 0, full: true, cursor: "c1", clock: null };

/** One promise that the test settles. */
class Pending<T> {
  resolve!: (value: T) => void;
  reject!: (error: unknown) => void;
  readonly promise = new Promise<T>((resolve, reject) => Object.assign(this, { resolve, reject }));
}

class FakeConnection implements Connection {
  readonly starting = new Pending<void>();
  connectionId: string | null = "connection";
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
  readonly loads: { readonly pending: Pending<Snapshot | null>; readonly since: string | null; readonly following: Following; readonly signal: AbortSignal; readonly progress: (wait: number) => void }[] = [];
  readonly joins: { readonly pending: Pending<number | null>; readonly groups: readonly string[]; readonly signal: AbortSignal }[] = [];
  readonly leaves: { readonly pending: Pending<void>; readonly groups: readonly string[] }[] = [];
  readonly log: string[] = [];
  news = false;
  readonly link: Link;

  constructor() {
    const ports: LinkPorts = {
      connect: () => this.connections[this.connections.push(new FakeConnection()) - 1] ?? new FakeConnection(),
      join: (_, groups, signal) => {
        const pending = new Pending<number | null>();
        this.joins.push({ pending, groups, signal });
        return pending.promise;
      },
      leave: (_, groups) => {
        const pending = new Pending<void>();
        this.leaves.push({ pending, groups });
        return pending.promise;
      },
      load: ({ since, following }, signal, progress) => {
        const pending = new Pending<Snapshot | null>();
        this.loads.push({ pending, since, following, signal, progress });
        return pending.promise;
      },
      time: { ...SYSTEM_TIME, chance: () => 0 },
    };
    const listener: Listener = {
      onChange: (state) => this.log.push(state.phase.kind),
      buffer: () => this.log.push("buffer"),
      onMessage: (argument) => this.log.push(`message ${String(argument)}`),
      onSnapshot: ({ full }) => {
        this.log.push(full ? "snapshot" : "catch-up");
        return { news: this.news, contradicted: false };
      },
      release: () => this.log.push("release"),
      onRefused: ({ areas }) => this.log.push(`only ${areas.join()}`),
    };
    this.link = new Link(ports, listener, EVERYTHING);
    this.link.start();
  }

  get connection(): FakeConnection {
    return this.connections.at(-1) ?? new FakeConnection();
  }

  /** Connected and in its groups. */
  async open(): Promise<void> {
    this.connection.starting.resolve();
    await settle();
    await this.join();
  }

  async join(settlesAfter: number | null = null): Promise<void> {
    this.joins.at(-1)?.pending.resolve(settlesAfter);
    await settle();
  }

  async load(answer: Snapshot | null = SNAPSHOT): Promise<void> {
    this.loads.at(-1)?.pending.resolve(answer);
    await settle();
  }

  async live(): Promise<void> {
    await this.open();
    await this.load();
    this.taken();
  }

  async follows(following: Following): Promise<void> {
    this.link.follow(following);
    await settle();
    await this.join();
    await this.load();
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
    expect(world.taken()).toEqual(["buffer", "opening", "joining", "buffer", "loading", "message early", "snapshot", "live", "message later", "live"]);
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

  it("buffers and catches up after the connection ended", async () => {
    const world = new World();
    await world.live();
    world.connection.close();
    expect(world.taken()).toEqual(["release", "waiting"]);
    await vi.advanceTimersByTimeAsync(500);
    await world.open();
    expect(world.loads.map(({ since }) => since)).toEqual([null, "c1"]);
    await world.load({ ...SNAPSHOT, full: false, cursor: "c2" });
    expect(world.taken()).toEqual(["buffer", "opening", "joining", "loading", "catch-up", "live"]);
  });

  it("loads everything when its cursor has expired", async () => {
    const world = new World();
    await world.live();
    world.connection.close();
    await vi.advanceTimersByTimeAsync(500);
    await world.open();
    await world.load(null);
    expect(world.loads.map(({ since }) => since)).toEqual([null, "c1", null]);
    await world.load();
    expect(world.link.state.phase.kind).toBe("live");
  });

  it("asks the store when nothing is heard, without holding messages back", async () => {
    const world = new World();
    await world.live();
    await vi.advanceTimersByTimeAsync(QUIET - 1);
    world.connection.message("sign of life");
    await vi.advanceTimersByTimeAsync(QUIET - 1);
    expect(world.loads).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(world.loads.map(({ since }) => since)).toEqual([null, "c1"]);
    expect(world.taken()).not.toContain("buffer");
  });

  it("replaces a deaf connection", async () => {
    const world = new World();
    await world.live();
    await vi.advanceTimersByTimeAsync(QUIET);
    world.news = true;
    await world.load({ ...SNAPSHOT, full: false });
    await vi.advanceTimersByTimeAsync(GRACE);
    expect(world.connections[0]?.stopped).toBe(true);
    expect(world.link.state.cause).toEqual({ kind: "deaf" });
    await vi.advanceTimersByTimeAsync(500);
    expect(world.connections).toHaveLength(2);
  });

  it("leaves nothing running once it is stopped, and can start again", async () => {
    const world = new World();
    await world.live();
    world.link.stop();
    expect(world.connection.stopped).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
    world.connection.message("ghost");
    world.connection.close();
    expect(world.taken()).toEqual(["release", "idle"]);
    world.link.start();
    await world.open();
    expect(world.loads.at(-1)?.since).toBe("c1");
  });

  it("stops a connection that it gave up, and ignores what it still brings", async () => {
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

  it("ends the pause when told to retry", async () => {
    const world = new World();
    world.connection.starting.reject(new Error("down"));
    await settle();
    world.link.retryNow();
    expect(world.connections).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(world.connections).toHaveLength(2);
  });

  it("lets messages through if the answer fails", async () => {
    const world = new World();
    await world.open();
    await world.load({ ...SNAPSHOT, cursor: null });
    world.taken();
    await vi.advanceTimersByTimeAsync(QUIET);
    expect(world.loads.map(({ since }) => since)).toEqual([null, null]);
    world.loads[1]?.pending.reject(new LinkError({ kind: "unreadable", step: "snapshot" }));
    await settle();
    expect(world.taken()).toEqual(["buffer", "live", "release", "live"]);
    expect(world.link.state.phase.kind).toBe("live");
  });
});

describe("a link with groups", () => {
  const SYDNEY: Following = { areas: ["Sydney"], devices: [] };

  it("asks the store when its groups are confirmed, not before, and once more when they have settled", async () => {
    const world = new World();
    world.connection.starting.resolve();
    await settle();
    expect(world.joins.map(({ groups }) => groups)).toEqual([["all"]]);
    expect(world.loads).toHaveLength(0);
    await world.join(5_000);
    expect(world.loads).toHaveLength(1);
    await world.load();
    await vi.advanceTimersByTimeAsync(4_999);
    expect(world.loads).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(world.loads.map(({ since }) => since)).toEqual([null, "c1"]);
  });

  it("that cannot be joined ends the session", async () => {
    const world = new World();
    world.connection.starting.resolve();
    await settle();
    world.joins[0]?.pending.reject(new LinkError({ kind: "status", step: "subscribe", status: 404 }));
    await settle();
    expect(world.connection.stopped).toBe(true);
    expect(world.link.state).toMatchObject({ phase: { kind: "waiting" }, cause: { step: "subscribe", status: 404 } });
  });

  it("does not join them on a connection that has ended", async () => {
    const world = new World();
    world.connection.connectionId = null;
    world.connection.starting.resolve();
    await settle();
    expect(world.joins).toHaveLength(0);
    expect(world.link.state).toMatchObject({ phase: { kind: "waiting" }, cause: { kind: "closed" } });
  });

  it("joins, loads and leaves, in this order, when something else is followed", async () => {
    const world = new World();
    await world.live();
    world.link.follow(SYDNEY);
    await settle();
    expect(world.joins.at(-1)?.groups).toEqual(["geo:Sydney"]);
    await world.join();
    expect(world.loads.at(-1)).toMatchObject({ since: null, following: SYDNEY });
    expect(world.leaves).toHaveLength(0);
    await world.load();
    expect(world.leaves.map(({ groups }) => groups)).toEqual([["all"]]);
    expect(world.connections).toHaveLength(1);
    expect(world.taken()).toEqual(["joining", "buffer", "loading", "snapshot", "live"]);
  });

  it("drops the answers that it no longer needs", async () => {
    const world = new World();
    await world.open();
    world.link.follow(SYDNEY);
    await settle();
    world.link.follow(EVERYTHING);
    await settle();
    expect([world.loads[0], world.joins[1]].map((asked) => asked?.signal.aborted)).toEqual([true, true]);
    world.joins[1]?.pending.resolve(null);
    world.loads[0]?.pending.resolve(SNAPSHOT);
    await settle();
    expect(world.link.state.phase.kind).toBe("joining");
  });

  it("joins a group that it is leaving when it has left it", async () => {
    const world = new World();
    await world.live();
    await world.follows(SYDNEY);
    world.link.follow(EVERYTHING);
    await settle();
    expect(world.joins).toHaveLength(2);
    world.leaves[0]?.pending.reject(new TypeError("network"));
    await settle();
    expect(world.joins.at(-1)?.groups).toEqual(["all"]);
  });

  it("does not wait with a new connection for what the old one was leaving", async () => {
    const world = new World();
    await world.live();
    await world.follows(SYDNEY);
    world.connection.close();
    await vi.advanceTimersByTimeAsync(500);
    await world.open();
    expect(world.loads.at(-1)).toMatchObject({ since: "c1", following: SYDNEY });
  });
});

describe("a link whose group is refused", () => {
  it("gives it up and goes on with the rest", async () => {
    const world = new World();
    world.link.follow({ areas: ["a", "b"], devices: [] });
    world.connection.starting.resolve();
    await settle();
    world.joins[0]?.pending.reject(new RefusedGroups(["geo:b"]));
    await settle();
    expect(world.taken()).toContain("only a");
    expect(world.joins.map(({ groups }) => groups)).toEqual([["geo:a", "geo:b"], ["geo:a"]]);
    await world.join();
    await world.load();
    expect(world.link.state).toMatchObject({ phase: { kind: "live" }, refused: ["geo:b"] });
    expect(world.connections).toHaveLength(1);
  });

  it("waits for an answer in many parts as long as they come, and not for one that hangs", async () => {
    const world = new World();
    await world.open();
    for (let part = 0; part < 10; part += 1) {
      await vi.advanceTimersByTimeAsync(ATTEMPT_LIMIT - 1);
      world.loads[0]?.progress(0);
    }
    expect(world.link.state.phase.kind).toBe("loading");
    await vi.advanceTimersByTimeAsync(ATTEMPT_LIMIT);
    expect(world.link.state).toMatchObject({ phase: { kind: "waiting" }, cause: { kind: "overdue", step: "snapshot" } });
    world.loads[0]?.progress(0);
    expect(world.link.state.phase.kind).toBe("waiting");
  });

  it("does not wait longer because of parts of an answer that nobody waits for", async () => {
    const world = new World();
    await world.open();
    world.link.follow({ areas: ["a"], devices: [] });
    await settle();
    await world.join();
    await vi.advanceTimersByTimeAsync(ATTEMPT_LIMIT - 1);
    world.loads[0]?.progress(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(world.link.state.cause).toEqual({ kind: "overdue", step: "snapshot" });
  });
});
