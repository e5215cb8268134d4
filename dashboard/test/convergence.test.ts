import { describe, expect, it } from "vitest";
import { Replica, type Fleet } from "../src/convergence";
import { Storm, type StormConnection, type Versions } from "./storm";

/** A replica in the storm, and what must never be seen of it. */
class Screen {
  readonly wrongs: string[] = [];
  readonly replica: Replica;
  connection: StormConnection | null = null;
  reconnections = 0;
  private shown: Versions = new Map();
  private phase = "";

  /** `attentive`: looks at everything that happens; else what comes in waits until the store answers. */
  constructor(storm: Storm, private readonly attentive: boolean) {
    const connect = (): StormConnection => {
      this.reconnections += 1;
      return (this.connection = storm.connect());
    };
    const world = { base: "http://fieldcast.test/api", connect, fetch: storm.fetch, time: storm.time };
    this.replica = new Replica(world, { stirred: () => this.look(), applied: (fleet) => this.compare(versionsOf(fleet)) });
  }

  /** Nothing that was shown is taken back. */
  private compare(versions: Versions): void {
    for (const [id, before] of this.shown) {
      const after = versions.get(id);
      if (after === undefined || after < before) this.wrongs.push(`${id} went from ${before} to ${after ?? "nothing"}`);
    }
    this.shown = versions;
  }

  /** Whoever becomes live has all that was in the store when it subscribed. */
  private look(): void {
    if (this.attentive) this.replica.flush();
    const { phase } = this.replica.link;
    const before = this.phase;
    this.phase = phase.kind;
    if (phase.kind !== "live" || before === "live") return;
    const versions = versionsOf(this.replica.fleet);
    for (const [id, version] of this.connection?.subscribed ?? []) {
      if ((versions.get(id) ?? 0) < version) this.wrongs.push(`live without version ${version} of ${id}`);
    }
  }
}

function versionsOf(fleet: Fleet): Versions {
  return new Map(fleet.rows.map(({ device }) => [device.id, device.version]));
}

async function write(storm: Storm, rounds: number, every: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    storm.write();
    await storm.schedule.pass(storm.between(every / 2, every));
  }
}

/** A storm of about three minutes, then as long a time in which everything works but connections that are deaf stay so. */
async function weather(seed: number, cursors: boolean): Promise<{ storm: Storm; screens: readonly Screen[] }> {
  const storm = new Storm(seed, cursors);
  const screens = [true, true, false].map((attentive) => new Screen(storm, attentive));
  for (const { replica } of screens) replica.start();
  await write(storm, 120, 2_000);
  storm.raging = false;
  await write(storm, 80, 3_000);
  // The longest first quiet time, and the time for an answer.
  await storm.schedule.pass(30_000);
  return { storm, screens };
}

const SEEDS = Array.from({ length: 40 }, (_, index) => index + 1);

describe.each([["with cursors", true], ["of an older service, without", false]])("replicas %s", (_, cursors) => {
  it.each(SEEDS)("converge on the store, take nothing back and are not deaf in the end (seed %i)", async (seed) => {
    const { storm, screens } = await weather(seed, cursors);
    for (const { replica, wrongs, connection } of screens) {
      expect(wrongs).toEqual([]);
      expect(versionsOf(replica.fleet)).toEqual(storm.versions);
      expect(replica.status).toBe("live");
      expect(connection?.deaf).toBe(false);
    }
  });

  it("were in a storm", async () => {
    const { screens } = await weather(1, cursors);
    for (const { reconnections } of screens) expect(reconnections).toBeGreaterThan(5);
  });
});

describe("a replica", () => {
  it("can be stopped, and goes on from what it knows", async () => {
    const storm = new Storm(7, true);
    storm.raging = false;
    const { replica } = new Screen(storm, true);
    replica.start();
    await write(storm, 5, 1_000);
    replica.stop();
    const known = versionsOf(replica.fleet);
    await write(storm, 20, 1_000);
    expect([replica.status, versionsOf(replica.fleet)]).toEqual(["offline", known]);
    replica.start();
    await storm.schedule.pass(1_000);
    expect([replica.status, versionsOf(replica.fleet)]).toEqual(["live", storm.versions]);
  });

  it("needs no document: nothing that it imports is a view or speaks of one", () => {
    const sources: Record<string, string> = import.meta.glob("../src/**/*.ts", { query: "?raw", import: "default", eager: true });
    const reached = new Set<string>();
    const visit = (path: string): void => {
      if (reached.has(path)) return;
      reached.add(path);
      for (const [, target = ""] of (sources[path] ?? "").matchAll(/from "(\.[^"]+)"/g)) visit(new URL(`${target}.ts`, `file:///x/${path.slice(3)}`).pathname.replace("/x/", "../"));
    };
    visit("../src/convergence.ts");
    expect(reached.size).toBeGreaterThan(8);
    for (const path of reached) {
      expect(sources[path], path).toBeDefined();
      expect(path).not.toContain("/view/");
      expect(sources[path], path).not.toMatch(/\b(document|window|navigator|location|localStorage)\./);
    }
  });
});
