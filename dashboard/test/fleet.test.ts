import { describe, expect, it } from "vitest";
import { EMPTY_FLEET, hasNews, MOST_AWAY, reduceFleet, type Fleet, type FleetAction } from "../src/core/fleet";
import type { Device, Measurement } from "../src/core/wire";
import { damaged, device as deviceOf, measurement } from "./device";

const CATALOGUE: readonly Measurement[] = [measurement("temperature", { unit: "°C", min: -40, max: 80 })];

function device(id: string, version: number, more: Partial<Device> = {}): Device {
  return deviceOf(id, { values: { temperature: version }, count: version, version, reportedAt: version * 1000, ...more });
}

const messages = (...devices: Device[]): FleetAction => ({ kind: "messages", devices, malformed: 0, at: 99_000 });
const snapshot = (...devices: Device[]): FleetAction => ({ kind: "snapshot", devices, measurements: CATALOGUE, malformed: 0 });
const catchUp = (...devices: Device[]): FleetAction => ({ kind: "catchUp", devices, elsewhere: [], measurements: [], malformed: 0 });
const elsewhere = (...devices: Device[]): FleetAction => ({ kind: "catchUp", devices: [], elsewhere: devices, measurements: [], malformed: 0 });
const follow = (areas: readonly string[], devices: readonly string[] = []): FleetAction => ({ kind: "follow", following: { areas, devices } });
const BUFFER: FleetAction = { kind: "buffer" };
const RELEASE: FleetAction = { kind: "release" };

function play(...actions: FleetAction[]): Fleet {
  return actions.reduce(reduceFleet, EMPTY_FLEET);
}

function versions(fleet: Fleet): Record<string, number> {
  return Object.fromEntries(fleet.rows.map((row) => [row.device.id, row.device.version]));
}

describe("live messages", () => {
  it("add a device that was unknown", () => {
    expect(versions(play(messages(device("a", 3))))).toEqual({ a: 3 });
  });

  it("replace a row when their version is newer", () => {
    const fleet = play(messages(device("a", 3)), messages(device("a", 4)));
    expect(versions(fleet)).toEqual({ a: 4 });
    expect(fleet.touched).toEqual([0]);
  });

  it("are dropped when they repeat", () => {
    const before = play(messages(device("a", 3)));
    const after = reduceFleet(before, messages(device("a", 3, { values: { temperature: 99 } })));
    expect(after.rows).toBe(before.rows);
    expect(after.touched).toEqual([]);
    expect(after.tally).toEqual({ applied: 1, dropped: 1, malformed: 0 });
  });

  it("are dropped when a newer one is shown", () => {
    const fleet = play(messages(device("a", 5), device("a", 3), device("a", 4)));
    expect(versions(fleet)).toEqual({ a: 5 });
    expect(fleet.tally).toMatchObject({ applied: 1, dropped: 2 });
  });

  it("end in the same rows in whatever order they come", () => {
    const all = [device("a", 1), device("b", 2), device("a", 3), device("b", 1), device("a", 2)];
    for (let turn = 0; turn < all.length; turn += 1) {
      const order = [...all.slice(turn), ...all.slice(0, turn)];
      expect(versions(play(...order.map((one) => messages(one))))).toEqual({ a: 3, b: 2 });
    }
  });

  it("without a time count as reported when they arrived", () => {
    expect(play(messages(device("a", 1, { reportedAt: null }))).rows[0]?.device.reportedAt).toBe(99_000);
  });

  it("that could not be read are counted", () => {
    expect(play({ kind: "messages", devices: [], malformed: 2, at: 0 }).tally.malformed).toBe(2);
  });

  it("leave the previous state as it was", () => {
    const before = play(messages(device("a", 1)));
    const rows = [...before.rows];
    reduceFleet(before, messages(device("a", 2), device("b", 1)));
    expect(before.rows).toEqual(rows);
    expect([...before.slots.keys()]).toEqual(["a"]);
  });

  it("keep the index of devices when no device is new", () => {
    const before = play(messages(device("a", 1)));
    expect(reduceFleet(before, messages(device("a", 2))).slots).toBe(before.slots);
    expect(reduceFleet(before, messages(device("b", 2))).slots).not.toBe(before.slots);
  });
});

describe("a snapshot and the live messages around it", () => {
  it("applies held messages on top, when they are newer", () => {
    expect(versions(play(BUFFER, messages(device("a", 5), device("b", 1)), snapshot(device("a", 4), device("b", 2))))).toEqual({ a: 5, b: 2 });
  });

  it("shows nothing of the held messages before the snapshot", () => {
    const fleet = play(BUFFER, messages(device("a", 5)));
    expect(fleet.rows).toEqual([]);
    expect(play(BUFFER, messages(device("a", 5)), snapshot()).rows).toHaveLength(1);
  });

  it("holds no more than one state of each device", () => {
    const fleet = play(BUFFER, messages(device("a", 2)), messages(device("a", 9), device("a", 4)));
    expect(fleet.buffer?.size).toBe(1);
    expect(versions(reduceFleet(fleet, snapshot()))).toEqual({ a: 9 });
  });

  it("keeps what is held when buffering is asked for twice", () => {
    expect(versions(play(BUFFER, messages(device("a", 2)), BUFFER, snapshot()))).toEqual({ a: 2 });
  });

  it("applies held messages when no snapshot comes", () => {
    const fleet = play(snapshot(device("a", 1)), BUFFER, messages(device("a", 2)), RELEASE);
    expect(versions(fleet)).toEqual({ a: 2 });
    expect(fleet.buffer).toBeNull();
  });

  it("removes devices that the service no longer has, but not those it has just told of", () => {
    const fleet = play(snapshot(device("a", 1), device("b", 1)), BUFFER, messages(device("c", 1)), snapshot(device("b", 1)));
    expect(versions(fleet)).toEqual({ b: 1, c: 1 });
  });

  it("does not set a row back when live messages were faster", () => {
    expect(versions(play(messages(device("a", 5)), snapshot(device("a", 4))))).toEqual({ a: 5 });
  });

  it("follows a store that was set up anew", () => {
    const fleet = play(messages(device("a", 500)), snapshot(device("a", 1, { reportedAt: 900_000 })));
    expect(versions(fleet)).toEqual({ a: 1 });
  });

  it("leaves unchanged rows untouched", () => {
    const before = play(snapshot(device("a", 1), device("b", 1)));
    const after = reduceFleet(before, snapshot(device("a", 1), device("b", 2)));
    expect(after.rows[0]).toBe(before.rows[0]);
    expect(after.touched).toEqual([1]);
    expect(after.slots).toBe(before.slots);
  });

  it("lists a device once that is on two of its pages", () => {
    expect(versions(play(snapshot(device("a", 1), device("a", 2))))).toEqual({ a: 2 });
  });

  it("keeps the catalogue when a later reply has none", () => {
    const fleet = play(snapshot(), { kind: "snapshot", devices: [], measurements: [], malformed: 0 });
    expect(fleet.measurements).toEqual(CATALOGUE);
  });
});

describe("a catch-up", () => {
  it("applies what is newer, and neither removes a device nor sets one back", () => {
    const fleet = play(snapshot(device("a", 1), device("b", 5), device("c", 1)), catchUp(device("a", 2), device("b", 4), device("d", 1)));
    expect(versions(fleet)).toEqual({ a: 2, b: 5, c: 1, d: 1 });
    expect(fleet.touched).toEqual([0, 3]);
    expect(fleet.measurements).toEqual(CATALOGUE);
  });

  it("applies held messages on top, when they are newer", () => {
    const fleet = play(snapshot(device("a", 1)), BUFFER, messages(device("a", 5), device("b", 1)), catchUp(device("a", 4), device("b", 2)));
    expect(versions(fleet)).toEqual({ a: 5, b: 2 });
    expect(fleet.buffer).toBeNull();
    expect(fleet.touched).toEqual([0, 1]);
  });

  it("is not counted as messages, and does not change an interval", () => {
    const before = play(messages(device("a", 1)), messages(device("a", 2)));
    const after = reduceFleet(before, catchUp(device("a", 2), device("a", 900)));
    expect(after.tally).toEqual(before.tally);
    expect(after.rows[0]).toMatchObject({ device: { version: 900 }, interval: 1000 });
  });

  it("notices a store that was set up anew", () => {
    const row = snapshot(device("a", 500));
    expect(play(row, catchUp(device("a", 1, { reportedAt: 900_000 }))).contradictions).toBe(1);
    expect(play(row, catchUp(device("a", 499))).contradictions).toBe(0);
  });

  it("has news when a state is newer than what is shown and what is held", () => {
    const fleet = play(snapshot(device("a", 3), device("b", 3)), BUFFER, messages(device("b", 5)));
    expect(hasNews(fleet, [device("a", 3), device("b", 5)])).toBe(false);
    expect(hasNews(fleet, [device("b", 6)])).toBe(true);
    expect(hasNews(fleet, [device("a", 4)])).toBe(true);
    expect(hasNews(fleet, [device("c", 0)])).toBe(true);
    expect(hasNews(fleet, [])).toBe(false);
  });
});

describe("a fleet of which a part is followed", () => {
  const inSydney = (id: string, version: number): Device => device(id, version, { area: "Sydney" });
  const inPerth = (id: string, version: number): Device => device(id, version, { area: "Perth" });
  const SYDNEY = follow(["Sydney"], ["special"]);

  it("shows only that, whatever comes", () => {
    const fleet = play(SYDNEY, snapshot(inSydney("a", 1), inPerth("b", 1)), messages(inPerth("c", 1), inPerth("special", 1)), catchUp(inPerth("d", 1), inSydney("e", 1)));
    expect(versions(fleet)).toEqual({ a: 1, special: 1, e: 1 });
    expect(fleet.tally).toMatchObject({ applied: 1, dropped: 0 });
  });

  it.each([
    ["a message", messages(inPerth("a", 12))],
    ["a catch-up", catchUp(inPerth("a", 12))],
    ["a catch-up that says that it is elsewhere", elsewhere(device("a", 12, { area: "Perth", values: {}, reportedAt: null }))],
    ["a snapshot of a service without filters", snapshot(inSydney("b", 1), inPerth("a", 12))],
  ])("loses a device that moved away by %s, and no older state brings it back", (_, moved) => {
    const left = play(SYDNEY, snapshot(inSydney("a", 10), inSydney("b", 1)), moved);
    expect(versions(left)).toEqual({ b: 1 });
    expect([...left.slots]).toEqual([["b", 0]]);
    for (const late of [messages(inSydney("a", 11)), catchUp(inSydney("a", 11)), messages(inSydney("a", 12))]) {
      const after = reduceFleet(left, late);
      expect([versions(after), after.contradictions]).toEqual([{ b: 1 }, 0]);
    }
    const back = reduceFleet(left, messages(inSydney("a", 13)));
    expect(versions(back)).toEqual({ a: 13, b: 1 });
    expect(back.away.size).toBe(0);
    expect(versions(reduceFleet(back, messages(inPerth("a", 12))))).toEqual({ a: 13, b: 1 });
  });

  it("keeps a device when an older reply says that it is elsewhere", () => {
    const row = play(SYDNEY, snapshot(inSydney("a", 10)));
    expect(versions(reduceFleet(row, messages(inPerth("a", 9))))).toEqual({ a: 10 });
    expect(versions(reduceFleet(row, elsewhere(inPerth("a", 10))))).toEqual({ a: 10 });
  });

  it("does not show a device when its move away arrived first", () => {
    expect(versions(play(SYDNEY, messages(inPerth("a", 12)), messages(inSydney("a", 11))))).toEqual({});
    expect(versions(play(SYDNEY, elsewhere(inPerth("a", 12)), messages(inSydney("a", 11))))).toEqual({});
  });

  it("does not add a device from an outdated snapshot, but from one that was asked for later", () => {
    const late = snapshot(inSydney("a", 11));
    expect(versions(play(SYDNEY, messages(inPerth("a", 12)), late))).toEqual({});
    expect(versions(play(SYDNEY, elsewhere({ ...inPerth("a", 12), reportedAt: null }), late))).toEqual({ a: 11 });
  });

  it("keeps the places of the others when one leaves in the middle of a message", () => {
    const fleet = play(SYDNEY, snapshot(inSydney("a", 1), inSydney("b", 1), inSydney("c", 1)), messages(inPerth("a", 2), inSydney("c", 2), inSydney("d", 1), inSydney("a", 3)));
    expect(Object.fromEntries(fleet.slots)).toEqual({ b: 0, c: 1, d: 2, a: 3 });
    expect(fleet.rows.map((row) => row.device.id)).toEqual(["b", "c", "d", "a"]);
    expect(fleet.touched).toEqual([1, 2, 3]);
  });

  it("says where the changed rows of a reply are after what was held back", () => {
    const fleet = play(SYDNEY, snapshot(inSydney("a", 1), inSydney("b", 1)), BUFFER, messages(inPerth("a", 9)), catchUp(inSydney("a", 2), inSydney("b", 2)));
    expect([versions(fleet), fleet.touched]).toEqual([{ b: 2 }, [0]]);
  });

  it("does not bring back what a snapshot removed", () => {
    const fleet = play(snapshot(device("a", 5), device("b", 1)), snapshot(device("b", 1)), messages(device("a", 5)));
    expect(versions(fleet)).toEqual({ b: 1 });
    expect(versions(reduceFleet(fleet, messages(device("a", 6))))).toEqual({ b: 1, a: 6 });
    expect(versions(reduceFleet(fleet, snapshot(device("a", 5))))).toEqual({ a: 5 });
  });

  it("drops at once what is no longer followed, and shows the rest with the next snapshot", () => {
    const before = play(snapshot(inSydney("a", 1), inPerth("b", 4), inSydney("special", 1)));
    const after = reduceFleet(before, follow(["Sydney"]));
    expect(Object.fromEntries(after.slots)).toEqual({ a: 0, special: 1 });
    expect(versions(reduceFleet(after, messages(inSydney("b", 3))))).toEqual({ a: 1, special: 1 });
    const again = reduceFleet(after, follow(["Perth"]));
    expect(versions(again)).toEqual({});
    expect(versions(reduceFleet(again, snapshot(inPerth("b", 4))))).toEqual({ b: 4 });
    expect(reduceFleet(again, snapshot(inPerth("b", 4))).away.has("b")).toBe(false);
  });

  it("keeps its rows and its index when nothing has to go", () => {
    const before = play(snapshot(inSydney("a", 1)));
    const after = reduceFleet(before, follow(["Sydney"]));
    expect([after.rows, after.slots]).toEqual([before.rows, before.slots]);
    expect(after.rows).toBe(before.rows);
  });

  it("has no news in what does not concern it", () => {
    const fleet = play(SYDNEY, snapshot(inSydney("a", 3)), messages(inPerth("gone", 7)));
    expect(hasNews(fleet, [inPerth("x", 9), inPerth("gone", 8), inSydney("gone", 7)])).toBe(false);
    expect(hasNews(fleet, [inPerth("a", 4)])).toBe(true);
    expect(hasNews(fleet, [inSydney("x", 1)])).toBe(true);
    expect(hasNews(fleet, [inSydney("gone", 8)])).toBe(true);
  });

  it("follows a store that was set up anew", () => {
    const gone = play(SYDNEY, messages(inPerth("a", 500)));
    const anew = { ...inSydney("a", 1), reportedAt: 900_000 };
    expect(reduceFleet(gone, messages(anew)).contradictions).toBe(1);
    expect(versions(reduceFleet(gone, snapshot(anew)))).toEqual({ a: 1 });
  });
});

describe("a state that the service cannot read", () => {
  const broken = damaged("a", "Count is no number");
  const problems = (fleet: Fleet): Record<string, string | null> => Object.fromEntries(fleet.rows.map(({ device: { id, problem } }) => [id, problem]));

  it.each([["a snapshot", snapshot(broken, device("b", 2))], ["a catch-up", catchUp(broken)]])("is shown with its problem after %s, whatever was known", (_, told) => {
    expect(problems(play(told))["a"]).toBe("Count is no number");
    const known = play(snapshot(device("a", 5), device("b", 2)));
    const marked = reduceFleet(known, told);
    expect(problems(marked)).toEqual({ a: "Count is no number", b: null });
    expect(marked.rows[0]?.device).toMatchObject({ values: {}, count: null, version: 5, reportedAt: 5_000 });
    expect(marked.touched).toEqual([0]);
    const again = reduceFleet(marked, told);
    expect([again.rows[0], again.touched]).toEqual([marked.rows[0], []]);
    expect(again.rows[0]).toBe(marked.rows[0]);
  });

  it("is replaced by a newer message, and not by one that repeats what was known", () => {
    const marked = play(snapshot(device("a", 5)), snapshot(broken));
    expect(problems(reduceFleet(marked, messages(device("a", 5))))).toEqual({ a: "Count is no number" });
    const mended = reduceFleet(marked, messages(device("a", 6)));
    expect([problems(mended), versions(mended)]).toEqual([{ a: null }, { a: 6 }]);
    expect(problems(play(snapshot(broken), messages(device("a", 1))))).toEqual({ a: null });
  });

  it("goes away with an answer that can read it, also an older one, or that has no such device", () => {
    const marked = play(snapshot(device("a", 5)), snapshot(broken));
    for (const told of [snapshot(device("a", 5)), catchUp(device("a", 5)), snapshot(device("a", 3))]) expect(problems(reduceFleet(marked, told))).toEqual({ a: null });
    expect(reduceFleet(marked, snapshot()).rows).toEqual([]);
  });

  it("may be in any area that is followed, unless another one was known", () => {
    const followed = play(follow(["Sydney"]), snapshot(broken));
    expect(problems(followed)).toEqual({ a: "Count is no number" });
    expect(problems(reduceFleet(followed, follow(["Perth"])))).toEqual({ a: "Count is no number" });
    expect(problems(reduceFleet(followed, follow([], ["b"])))).toEqual({});
    expect(problems(play(follow(["Sydney"]), messages(device("a", 1, { area: "Perth" })), snapshot(broken)))).toEqual({});
    expect(problems(play(follow([], ["b"]), snapshot(broken)))).toEqual({});
  });

  it("is no news, and neither is that it can be read again: no message tells either", () => {
    const known = play(snapshot(device("a", 5)));
    expect([hasNews(known, [broken]), hasNews(known, [damaged("b", "?")]), hasNews(play(snapshot(broken)), [device("a", 5)])]).toEqual([false, false, false]);
  });
});

describe("sources finer than a device", () => {
  const part = (module: string, component: string, version: number): Device => device(`tc-1|${module}|${component}`, version);

  it("are rows of their own", () => {
    const fleet = play(messages(device("tc-1", 7), part("", "t1", 3), part("", "t2", 1), part("t2", "", 2)), messages(part("", "t2", 2)));
    expect(versions(fleet)).toEqual({ "tc-1": 7, "tc-1||t1": 3, "tc-1||t2": 2, "tc-1|t2|": 2 });
  });

  it("are followed with their device, and one that moves away leaves the others", () => {
    const fleet = play(follow(["Sydney"], ["tc-1"]), messages(part("", "t1", 1), device("tc-2||t1", 1)));
    expect(versions(fleet)).toEqual({ "tc-1||t1": 1 });
    const parts = play(follow(["Sydney"]), messages(...["t1", "t2"].map((component) => ({ ...part("", component, 1), area: "Sydney" }))));
    expect(versions(reduceFleet(parts, elsewhere({ ...part("", "t2", 2), area: "Perth" })))).toEqual({ "tc-1||t1": 1 });
  });
});

describe("what the reducer learns", () => {
  it("remembers no more devices that are not followed than any fleet has", () => {
    const away = (count: number, first: number): Device[] => Array.from({ length: count }, (_, index) => device(`d-${first + index}`, 1, { area: "Perth" }));
    const fleet = play(follow(["Sydney"]), messages(...away(MOST_AWAY, 0)), messages(...away(1_000, MOST_AWAY)));
    expect([fleet.away.size, fleet.away.has("d-999"), fleet.away.has(`d-${MOST_AWAY + 999}`)]).toEqual([MOST_AWAY, false, true]);
  });


  it("distinguishes a store that was set up anew from a late message", () => {
    const row = messages(device("a", 50));
    expect(play(row, messages(device("a", 49))).contradictions).toBe(0);
    expect(play(row, messages(device("a", 1, { reportedAt: 60_000 }))).contradictions).toBe(1);
  });

  it("learns how often a device reports from live messages", () => {
    const steady = [1, 2, 3, 4].map((version) => messages(device("a", version, { reportedAt: version * 10_000 })));
    expect(play(...steady).rows[0]?.interval).toBe(10_000);
  });

  it("does not mistake an outage for an interval", () => {
    const outage = messages(device("a", 3, { reportedAt: 3_600_000 }));
    const fleet = play(messages(device("a", 1, { reportedAt: 10_000 })), messages(device("a", 2, { reportedAt: 20_000 })), outage);
    expect(fleet.rows[0]?.interval).toBeLessThan(20_001);
  });

  it("notes the size and the kind of values for the columns", () => {
    const fleet = play(messages(device("a", 1, { values: { rpm: -300, angle: 0.5 } })), messages(device("b", 1, { values: { rpm: 20 } })));
    expect(Object.fromEntries(fleet.traits)).toEqual({ rpm: { numeric: true, largest: 300, fractional: false }, angle: { numeric: true, largest: 0.5, fractional: true } });
  });
});
