import { describe, expect, it } from "vitest";
import { EVERYTHING, Replica, type Fleet, type Following } from "../src/convergence";
import { isFollowed } from "../src/core/following";
import { RELOAD_EVERY } from "../src/link/quiet";
import { REFUSED, Storm, type Service, type States, type StormConnection } from "./storm";

/** A replica in the storm, and a record of what it must never show. */
class Screen {
  readonly wrongs: string[] = [];
  readonly replica: Replica;
  connection: StormConnection | null = null;
  reconnections = 0;
  private known: States = new Map();
  private phase = "";

  /** `attentive`: looks at every change; otherwise messages wait until the store answers. */
  constructor(private readonly storm: Storm, private readonly attentive: boolean, following?: Following) {
    const connect = (): StormConnection => {
      this.reconnections += 1;
      return (this.connection = storm.connect());
    };
    const ports = { base: "http://fieldcast.test/api", connect, fetch: storm.fetch, time: storm.time };
    this.replica = new Replica(ports, { onChange: () => this.look(), onStep: (fleet) => this.compare(fleet) }, following);
  }

  follow(following: Following): void {
    this.replica.follow(following);
    this.expectOnlyFollowed(this.replica.fleet);
  }

  expectAll(): void {
    const stored = followedOf(this.storm.states, this.replica.following);
    const shown = statesOf(this.replica.fleet);
    for (const { device } of this.replica.fleet.rows) if (device.problem !== null) this.wrongs.push(`${device.id} is still damaged`);
    for (const id of new Set([...stored.keys(), ...shown.keys()])) {
      const [wanted, found] = [stored.get(id), shown.get(id)].map((state) => (state === undefined ? "nothing" : `${state.version} in ${state.area}`));
      if (wanted !== found) this.wrongs.push(`${id} is ${wanted}, ${found} is shown`);
    }
  }

  /** Nothing that was known is forgotten or set back, and nothing is shown that is not followed. */
  private compare(fleet: Fleet): void {
    const known = new Map([...statesOf(fleet), ...[...fleet.away.values()].map(({ id, version, area }) => [id, { version, area }] as const)]);
    for (const [id, { version }] of this.known) {
      const now = known.get(id)?.version;
      if (now === undefined || now < version) this.wrongs.push(`${id} went from ${version} to ${now ?? "nothing"}`);
    }
    this.known = known;
    this.expectOnlyFollowed(fleet);
  }

  private expectOnlyFollowed(fleet: Fleet): void {
    for (const { device } of fleet.rows) {
      // The area of what cannot be read is not known.
      if (!isFollowed(fleet.following, device) && device.problem === null) this.wrongs.push(`${device.id} in ${device.area} is shown and not followed`);
    }
  }

  /** A screen that becomes live has everything that it follows and that was in the store when it subscribed. */
  private look(): void {
    if (this.attentive) this.replica.flush();
    const { phase } = this.replica.link;
    const before = this.phase;
    this.phase = phase.kind;
    if (phase.kind !== "live" || before === "live") return;
    const shown = statesOf(this.replica.fleet);
    const stored = followedOf(this.storm.states, this.replica.following);
    for (const [id, { version }] of followedOf(this.connection?.subscribed ?? new Map(), this.replica.following)) {
      if (stored.has(id) && !this.storm.wasDamaged(id, this.connection?.subscribedAt ?? 0) && (shown.get(id)?.version ?? 0) < version) this.wrongs.push(`live without version ${version} of ${id}`);
    }
  }
}

function statesOf(fleet: Fleet): States {
  return new Map(fleet.rows.map(({ device: { id, version, area } }) => [id, { version, area }]));
}

function followedOf(states: States, following: Following): States {
  return new Map([...states].filter(([id, { area }]) => isFollowed(following, { deviceId: id, area })));
}

/** What a screen may follow. Somebody in it reports all the time, so that a deaf link is one that misses something. */
const INTERESTS: readonly Following[] = [
  EVERYTHING,
  { areas: ["Bondi"], devices: [] },
  { areas: ["Manly", "Sydney"], devices: ["device-0", "device-21"] },
  { areas: [], devices: ["device-0", "device-1", "device-20"] },
];
/** What the service refuses a part of, or everything. */
const REFUSED_INTERESTS: readonly Following[] = [{ areas: ["Sydney", REFUSED], devices: ["device-0"] }, { areas: [REFUSED], devices: [] }];
/** Nobody else follows these, so that processes often find their groups empty. */
const FICKLE: readonly Following[] = [...INTERESTS, { areas: ["Perth"], devices: [] }, { areas: [], devices: ["device-2", "device-3"] }];

function change(storm: Storm, screen: Screen): void {
  screen.follow(FICKLE[storm.between(0, FICKLE.length - 1)] ?? EVERYTHING);
}

/** Rounds of writing. `fickle` screens follow something else now and then. */
async function write(storm: Storm, rounds: number, every: number, fickle: readonly Screen[] = []): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    storm.write();
    for (const screen of fickle) if (storm.chance() < 0.1) change(storm, screen);
    await storm.schedule.pass(storm.between(every / 2, every));
  }
}

/** In calm weather a screen has exactly what it follows as soon as its groups have settled, and goes on having it. */
async function wander(storm: Storm, fickle: readonly Screen[]): Promise<void> {
  for (let round = 0; round < 10; round += 1) {
    for (const screen of fickle) if (storm.chance() < 0.7) change(storm, screen);
    // Some change their mind before the service has answered.
    await storm.schedule.pass(storm.between(0, 200));
    for (const screen of fickle) if (storm.chance() < 0.3) change(storm, screen);
    await write(storm, 8, 1_500);
    await storm.schedule.pass(1_000);
    for (const screen of fickle) screen.expectAll();
  }
}

/**
 * A storm of about three minutes, then some in which everything works but connections that are deaf stay so. When every
 * screen has asked the store, some look for something else.
 */
async function weather(seed: number, service: Service): Promise<{ storm: Storm; screens: readonly Screen[] }> {
  const storm = new Storm(seed, service);
  const interests = service === "old" ? INTERESTS : [...INTERESTS, ...REFUSED_INTERESTS];
  const constant = interests.map((following, place) => new Screen(storm, place % 2 === 0, following));
  const fickle = [true, false].map((attentive) => new Screen(storm, attentive));
  const screens = [...constant, ...fickle];
  for (const { replica } of screens) replica.start();
  await write(storm, 120, 2_000, fickle);
  storm.raging = false;
  await write(storm, 80, 3_000);
  await storm.schedule.pass(RELOAD_EVERY + 30_000);
  await wander(storm, fickle);
  for (const screen of screens) screen.expectAll();
  return { storm, screens };
}

const SEEDS = Array.from({ length: 30 }, (_, index) => index + 1);
/** Five minutes of virtual time take half a second, on a machine that is not busy with other things. */
const PATIENCE = 60_000;
const SERVICES: readonly [string, Service][] = [
  ["of a service that sends everything to everybody", "broadcast"],
  ["of a service that sends to groups", "groups"],
  ["of an older service, without cursors, filters and groups", "old"],
];

describe.each(SERVICES)("replicas %s", (_, service) => {
  it.each(SEEDS)("converge on what they follow, set nothing back and are not deaf in the end (seed %i)", async (seed) => {
    const { screens } = await weather(seed, service);
    for (const { replica, wrongs, connection } of screens) {
      expect(wrongs).toEqual([]);
      expect(replica.status).toBe("live");
      expect(connection?.deaf).toBe(false);
    }
  }, PATIENCE);

  it("were in a storm", async () => {
    let [unknown, tampered] = [0, 0];
    for (const seed of [1, 2, 3]) {
      const { storm, screens } = await weather(seed, service);
      for (const { reconnections } of screens) expect(reconnections).toBeGreaterThan(5);
      unknown += storm.unknown;
      tampered += storm.tampered;
      if (service !== "old") expect(screens.slice(4, 6).map(({ replica }) => replica.following)).toEqual([{ areas: ["Sydney"], devices: ["device-0"] }, EVERYTHING]);
    }
    if (service !== "old") expect([unknown > 0, tampered > 10]).toEqual([true, true]);
  }, PATIENCE);
});

describe("a replica", () => {
  it("can be stopped, and goes on from what it knows", async () => {
    const storm = new Storm(7, "broadcast");
    storm.raging = false;
    const { replica } = new Screen(storm, true);
    replica.start();
    await write(storm, 5, 1_000);
    replica.stop();
    const known = statesOf(replica.fleet);
    await write(storm, 20, 1_000);
    expect([replica.status, statesOf(replica.fleet)]).toEqual(["offline", known]);
    replica.start();
    await storm.schedule.pass(1_000);
    expect([replica.status, statesOf(replica.fleet)]).toEqual(["live", storm.states]);
  });
});
