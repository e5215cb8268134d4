import { describe, expect, it } from "vitest";
import { Areas, MOST_AREAS } from "../src/core/areas";
import { clockOffset, narrowClock } from "../src/core/clock";
import { columnsOf, formatCell } from "../src/core/columns";
import { EMPTY_FLEET, reduceFleet, type Fleet, type Row } from "../src/core/fleet";
import { formatAge, formatClock, formatInterval, formatMoment, formatRate, formatValue, formatWhole, MISSING, plural } from "../src/core/format";
import { census, conditionOf, freshnessOf } from "../src/core/freshness";
import { arrange, compareNaturally, DEFAULT_SORT, hold, rank, type Query, type SortKey } from "../src/core/order";
import { Rate } from "../src/core/rate";
import { MOST_TRAITS } from "../src/core/traits";
import { firstOf, NOTHING_SELECTED, PLACES, toggle } from "../src/core/selection";
import { Store } from "../src/core/store";
import type { Device, Measurement } from "../src/core/wire";
import { damaged, device, measurement } from "./device";

function fleetOf(devices: readonly Device[], measurements: readonly Measurement[] = []): Fleet {
  return reduceFleet(EMPTY_FLEET, { kind: "snapshot", devices, measurements, malformed: 0 });
}

describe("numbers and times", () => {
  it.each([[0, 1, "0.0"], [21.456, 1, "21.5"], [-3.25, 2, "−3.25"], [-0.01, 1, "0.0"], [1013, 0, "1013"], [null, 1, MISSING], [undefined, 1, MISSING], [NaN, 1, MISSING]])(
    "%s with %s decimals is %s", (value, decimals, text) => expect(formatValue(value, decimals)).toBe(text));

  it.each([[null, MISSING], [-500, "0 s"], [999, "0 s"], [59_999, "59 s"], [60_000, "1 min"], [3_599_999, "59 min"], [3_600_000, "1 h"], [47 * 3_600_000, "47 h"], [48 * 3_600_000, "2 d"]])(
    "an age of %s ms is %s", (age, text) => expect(formatAge(age)).toBe(text));

  it("say rates, clocks and counts as people do", () => {
    expect([0, 0.2, 99.94, 149.6].map(formatRate)).toEqual(["0", "0.2", "99.9", "150"]);
    expect(formatClock(new Date(2026, 10, 21, 4, 5, 6).getTime())).toBe("04:05:06");
    expect(formatMoment(new Date(2026, 0, 2, 4, 5, 6).getTime())).toBe("2026-01-02 04:05:06");
    expect([400, 2_000, 2_540, 9_960, 59_700, 300_000].map(formatInterval)).toEqual(["0.4 s", "2 s", "2.5 s", "10 s", "1 min", "5 min"]);
    expect([7, 1234, 1234567].map(formatWhole)).toEqual(["7", "1\u202f234", "1\u202f234\u202f567"]);
    expect([plural(1, "device"), plural(0, "device")]).toEqual(["1 device", "0 devices"]);
  });
});

describe("the measurement columns", () => {
  const catalogue = [
    measurement("pressure", { unit: "hPa", min: 600, max: 1600 }), measurement("temperature", { unit: "°C", min: -40, max: 80 }),
    measurement("light"), measurement("latitude", { unit: "°", min: -90, max: 90 }), measurement("windSpeed", { unit: "m/s", min: 0, max: 8 }),
  ];

  it("are those that any device has, in the catalogue's order", () => {
    const fleet = fleetOf([device("a", { values: { temperature: 20.5 } }), device("b", { values: { pressure: 1000.5, schema: 2 } })], catalogue);
    expect(columnsOf(fleet).map(({ name, label, unit }) => [name, label, unit])).toEqual([["pressure", "Pressure", "hPa"], ["temperature", "Temperature", "°C"]]);
  });

  it("have decimals that suit the range and the values", () => {
    const values = { pressure: 1013.25, temperature: 21.456, light: 300, latitude: -33.86, windSpeed: 3.21 };
    const decimals = Object.fromEntries(columnsOf(fleetOf([device("a", { values })], catalogue)).map(({ name, decimals }) => [name, decimals]));
    expect(decimals).toEqual({ pressure: 1, temperature: 1, light: 0, latitude: 4, windSpeed: 2 });
  });

  it("hold words where the catalogue says so", () => {
    const words = [measurement("door", { kind: "flag" }), measurement("status", { kind: "text", values: ["ok", "off"] }), measurement("light"), measurement("mode", { kind: "text" })];
    const fleet = fleetOf([device("a", { words: { door: true, status: "ok", light: "bright" } }), device("b", { words: { door: false } })], words);
    const columns = columnsOf(fleet);
    expect(columns.map(({ name, kind, decimals }) => [name, kind, decimals])).toEqual([["door", "flag", 0], ["status", "text", 0]]);
    const cells = fleet.rows.map(({ device }) => columns.map((column) => formatCell(device, column)));
    expect(cells).toEqual([["yes", "ok"], ["no", MISSING]]);
    expect(columnsOf(fleetOf([device("a", { words: { status: "ok" } })]))).toEqual([]);
  });

  it("are bounded, whatever names come", () => {
    const values = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`m${index}`, index]));
    const words = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [`w${index}`, "x"]));
    expect(fleetOf([device("a", { values, words })]).traits.size).toBe(MOST_TRAITS);
  });

  it("follow the values while there is no catalogue", () => {
    const fleet = fleetOf([device("a", { values: { zeta: 1, wind_speed: 2, temperature: 1 } })]);
    expect(columnsOf(fleet).map(({ label }) => label)).toEqual(["Temperature", "Wind speed", "Zeta"]);
  });
});

describe("freshness", () => {
  const row = (reportedAt: number | null, interval: number | null, changedAt: number | null = null): Row => ({ device: device("a", { reportedAt, changedAt }), interval });
  const SECOND = 1000;

  it("decays with the time since the last report, by the device's own interval", () => {
    const at = (age: number): string => freshnessOf(row(0, 10 * SECOND), age * SECOND);
    expect([0, 35, 36, 120, 121, 360, 361].map(at)).toEqual(["live", "live", "late", "late", "stale", "stale", "lost"]);
    const slow = (minutes: number): string => freshnessOf(row(0, 3_600 * SECOND), minutes * 60 * SECOND);
    expect([180, 181, 600, 601, 1801, 1802].map(slow)).toEqual(["live", "late", "late", "stale", "stale", "lost"]);
  });

  it("is patient with a device whose interval is not known", () => {
    const at = (minutes: number): string => freshnessOf(row(0, null), minutes * 60 * SECOND);
    expect([14, 16, 49, 51, 152].map(at)).toEqual(["live", "late", "late", "stale", "lost"]);
  });

  it("raises no alarm for a clock that is a little off, or a report from the future", () => {
    expect(freshnessOf(row(0, 100), 5_000)).toBe("live");
    expect(freshnessOf(row(9_000, 1000), 0)).toBe("live");
  });

  it("distinguishes a sensor whose values stay the same from one that is silent", () => {
    const at = (reported: number, now: number): string => conditionOf(row(reported * SECOND, 10 * SECOND, 0), now * SECOND);
    expect([at(99, 99), at(100, 100), at(100, 135), at(100, 136), at(100, 221)]).toEqual(["live", "steady", "steady", "late", "stale"]);
    expect(conditionOf(row(0, SECOND, null), 0)).toBe("live");
  });

  it("is never that of a state that cannot be read, however young its last report", () => {
    const broken: Row = { device: damaged("a", "?", { reportedAt: 0 }), interval: 1_000 };
    expect([freshnessOf(broken, 0), conditionOf(broken, 0)]).toEqual(["damaged", "damaged"]);
    expect(census([broken], 0)).toMatchObject({ live: 0, steady: 0, damaged: 1 });
    expect(freshnessOf({ device: device("a", { reportedAt: 0, problem: "the light is unreadable" }), interval: null }, 0)).toBe("live");
  });

  it("is counted, unknown ones too; the steady ones are live", () => {
    const rows = [row(0, 1000), row(null, null), row(-40_000, 1000), row(-99_000, 1000), row(0, 1000, -20_000)];
    expect(census(rows, 0)).toEqual({ live: 2, late: 0, stale: 1, lost: 1, damaged: 0, unknown: 1, steady: 1 });
  });
});

describe("the service's clock", () => {
  const sample = (date: number, sent: number, received: number) => ({ date: new Date(date).toUTCString(), sent, received });

  it("is found from the Date header to half a second", () => {
    const range = narrowClock(null, sample(100_000, 40_000, 40_100));
    expect(Math.abs(clockOffset(range) - 60_449)).toBeLessThan(600);
  });

  it("gets more precise with every reply", () => {
    // The service is 5,300 ms ahead; its header says whole seconds.
    let range = narrowClock(null, sample(105_000, 100_000, 100_020));
    range = narrowClock(range, sample(108_000, 103_650, 103_670));
    range = narrowClock(range, sample(112_000, 106_720, 106_740));
    expect(Math.abs(clockOffset(range) - 5_300)).toBeLessThan(60);
  });

  it("starts over after a clock was set", () => {
    const before = narrowClock(null, sample(100_000, 100_000, 100_010));
    expect(clockOffset(narrowClock(before, sample(900_000, 200_000, 200_010)))).toBeGreaterThan(699_000);
  });

  it("stays unknown without a readable header", () => {
    expect(clockOffset(narrowClock(null, { date: "soon", sent: 0, received: 1 }))).toBe(0);
  });
});

describe("the rate", () => {
  it("is the mean of the last five seconds", () => {
    const rate = new Rate(0);
    for (let now = 0; now < 10_000; now += 100) rate.add(3, now);
    expect(rate.perSecond(9_999)).toBeCloseTo(30, 0);
    expect(rate.perSecond(16_000)).toBe(0);
  });

  it("is not low because the page is young", () => {
    const rate = new Rate(0);
    for (let now = 0; now < 2_000; now += 100) rate.add(1, now);
    expect(rate.perSecond(2_000)).toBeCloseTo(10, 0);
  });

  it("survives a clock that goes back", () => {
    const rate = new Rate(50_000);
    rate.add(5, 50_000);
    expect(rate.perSecond(10_000)).toBeGreaterThanOrEqual(0);
  });
});

describe("the order", () => {
  const fleet = fleetOf([
    device("sensor-10", { area: "Perth", values: { t: 0 }, reportedAt: 3 }),
    device("sensor-2", { area: "Sydney", values: {}, count: 9, reportedAt: 1 }),
    device("Sensor-1", { area: "Perth", values: { t: -5 }, count: null, reportedAt: 2 }),
  ]);
  const query = (more: Partial<Query> = {}): Query => ({ text: "", show: "all", sort: DEFAULT_SORT, ...more });
  const listed = (asked: Query): readonly string[] => arrange(fleet, asked, rank(fleet.rows), 10);
  const by = (key: SortKey, direction: "ascending" | "descending"): readonly string[] => listed(query({ sort: { key, direction } }));

  it("counts numbers in names as people do", () => {
    expect(listed(query())).toEqual(["Sensor-1", "sensor-2", "sensor-10"]);
  });

  it("gives any two names a fixed order", () => {
    const names = ["a", "A", "a-2", "a-10", "a-010", "b", "Zürich", "zurich 1", "zz"];
    expect([...names].reverse().sort(compareNaturally)).toEqual(["A", "a", "a-2", "a-010", "a-10", "b", "Zürich", "zurich 1", "zz"]);
  });

  it("keeps the places of those that were ranked when others come and go", () => {
    const more = fleetOf([...fleet.rows.map((row) => row.device).slice(0, 2), device("sensor-3", { area: "Aa" })]);
    const ranks = rank(more.rows, rank(fleet.rows));
    expect([...ranks.device]).toEqual([...rank(more.rows).device]);
    expect([...ranks.area.keys()]).toEqual(["Aa", "Perth", "Sydney"]);
    expect(rank(more.rows, ranks).device).toBe(ranks.device);
  });

  it("puts missing values last in both directions, and zero among the values", () => {
    expect(by("value:t", "ascending")).toEqual(["Sensor-1", "sensor-10", "sensor-2"]);
    expect(by("value:t", "descending")).toEqual(["sensor-10", "Sensor-1", "sensor-2"]);
    expect(by("count", "descending")).toEqual(["sensor-2", "sensor-10", "Sensor-1"]);
  });

  it("sorts equal ones by device, and ages from the youngest", () => {
    expect(by("area", "ascending")).toEqual(["Sensor-1", "sensor-10", "sensor-2"]);
    expect(by("age", "ascending")).toEqual(["sensor-10", "Sensor-1", "sensor-2"]);
  });

  it("lists what has all words in its name or area", () => {
    expect(listed(query({ text: " PERTH 10 " }))).toEqual(["sensor-10"]);
    expect(listed(query({ text: "nowhere" }))).toEqual([]);
  });

  it("puts the modules and components of a device after it, and finds them by their names", () => {
    const ids = ["tc-1-b", "tc-10", "tc-2", "tc-1||thermostat2", "tc-1|edge|thermostat1", "tc-1", "tc-1||thermostat10"];
    const parts = fleetOf(ids.map((id) => device(id)));
    const found = (text: string): readonly string[] => arrange(parts, query({ text }), rank(parts.rows), 0);
    expect(found("")).toEqual(["tc-1", "tc-1||thermostat2", "tc-1||thermostat10", "tc-1|edge|thermostat1", "tc-1-b", "tc-2", "tc-10"]);
    expect(found("tc-1 / thermostat2")).toEqual(["tc-1||thermostat2"]);
    expect(found("EDGE")).toEqual(["tc-1|edge|thermostat1"]);
  });

  it("has what cannot be read first, in whatever order, and by state what needs attention", () => {
    const shown = fleetOf([
      device("live", { reportedAt: 4_000_000, values: { t: 1 } }), device("late", { reportedAt: 2_900_000, values: { t: 2 } }), damaged("zz", "Count is no number"),
    ]);
    const sorted = (sort: Query["sort"]): readonly string[] => arrange(shown, query({ sort }), rank(shown.rows), 4_000_000);
    for (const key of ["device", "value:t", "age"] as const) for (const direction of ["ascending", "descending"] as const) expect(sorted({ key, direction })[0]).toBe("zz");
    expect(sorted({ key: "state", direction: "ascending" })).toEqual(["zz", "late", "live"]);
    expect(sorted({ key: "state", direction: "descending" })).toEqual(["zz", "live", "late"]);
  });

  it("sorts texts as people do, and no before yes", () => {
    const words = fleetOf([
      device("a", { words: { s: "level 10", door: true } }), device("b", { words: { s: "level 9", door: false } }), device("c", {}), device("d", { words: { s: "Alarm" } }),
    ]);
    const sorted = (key: SortKey): readonly string[] => arrange(words, query({ sort: { key, direction: "ascending" } }), rank(words.rows), 0);
    expect(sorted("value:s")).toEqual(["d", "b", "a", "c"]);
    expect(sorted("value:door")).toEqual(["b", "a", "c", "d"]);
  });

  it("lists by freshness", () => {
    const still = fleetOf([device("still", { reportedAt: 4_000_000, changedAt: 0 }), device("moving", { reportedAt: 4_000_000, changedAt: 4_000_000 })]);
    const steady = (show: "steady" | "live"): readonly string[] => arrange(still, query({ show }), rank(still.rows), 4_000_000);
    expect([steady("steady"), steady("live")]).toEqual([["still"], ["moving", "still"]]);
    expect(arrange(fleet, query({ show: "lost" }), rank(fleet.rows), 1e9)).toHaveLength(3);
    expect(listed(query({ show: "lost" }))).toEqual([]);
  });

  it("is kept while somebody reads: new devices are appended, and those that left are removed", () => {
    expect(hold(["sensor-2", "gone", "Sensor-1"], fleet, query(), 0)).toEqual(["sensor-2", "Sensor-1", "sensor-10"]);
  });
});

describe("the areas to follow", () => {
  it("are those that were seen, and those that were asked for, in people's order", () => {
    const areas = new Areas();
    areas.add("Perth");
    areas.note(fleetOf(["North 10", "North 2", "", "Perth"].map((area, index) => device(`${index}`, { area }))));
    const offered = areas.offered([]);
    expect(offered).toEqual(["North 2", "North 10", "Perth"]);
    expect(areas.offered([])).not.toBe(offered);
    const followed = ["Hay"];
    expect(areas.offered(followed)).toEqual(["Hay", ...offered]);
    expect(areas.offered(followed)).toBe(areas.offered(followed));
    expect(areas.areMore).toBe(false);
  });

  it("are no more than somebody looks through, whatever a device calls its area", () => {
    const areas = new Areas();
    const usual = device("usual", { area: "Perth" });
    for (let turn = 0; turn < 1_000; turn += 1) {
      areas.note(fleetOf([usual, ...Array.from({ length: 100 }, (_, index) => device(`d-${index}`, { area: `${turn} ${index}` }))]));
    }
    const offered = areas.offered(["followed"]);
    expect(offered).toHaveLength(MOST_AREAS + 1);
    expect(offered).toEqual(expect.arrayContaining(["Perth", "999 99", "followed"]));
    expect(offered).not.toContain("0 0");
    expect(areas.areMore).toBe(true);
  });

  it("are not those that the service refuses", () => {
    const areas = new Areas();
    const long = "ü".repeat(333);
    for (const area of [" ", "\t", "a\nb", "x".repeat(2_001), `${long}abc`, "\ud800", `${long}ab`, "x".repeat(2_000), " Hay, WA"]) areas.add(area);
    expect(areas.offered([])).toEqual([" Hay, WA", `${long}ab`, "x".repeat(2_000)]);
    areas.refuse(["geo: Hay, WA", "device:x"]);
    areas.add(" Hay, WA");
    expect(areas.offered([])).toEqual([`${long}ab`, "x".repeat(2_000)]);
  });
});

describe("the selection", () => {
  it("gives each device a place and frees it again", () => {
    const one = toggle(toggle(NOTHING_SELECTED, "a"), "b");
    expect(toggle(toggle(one, "a"), "c").slice(0, 2)).toEqual(["c", "b"]);
  });

  it("has no more places than can be told apart", () => {
    const ids = ["a", "b", "c", "d", "e", "f", "g"];
    const full = ids.reduce(toggle, NOTHING_SELECTED);
    expect(full).toHaveLength(PLACES);
    expect(full.at(-1)).toBe("g");
  });

  it("starts with the first few devices", () => {
    expect(firstOf(["a", "b", "c", "d", "e"]).filter(Boolean)).toEqual(["a", "b", "c", "d"]);
    expect(firstOf(["a", "b", "c", "d", "e", "f"], (id) => id !== "b").filter(Boolean)).toEqual(["a", "c", "d", "e"]);
  });
});

describe("the store", () => {
  it("applies messages that follow each other together, and keeps the order of everything", () => {
    const seen: number[] = [];
    const store = new Store((fleet) => seen.push(fleet.touched.length));
    const message = (id: string) => store.dispatch({ kind: "messages", devices: [device(id)], malformed: 0, at: 0 });
    store.dispatch({ kind: "snapshot", devices: [], measurements: [], malformed: 0 });
    message("a");
    message("b");
    store.dispatch({ kind: "buffer" });
    message("c");
    expect(store.fleet.rows).toHaveLength(0);
    store.flush();
    expect(seen).toEqual([0, 2, 0, 0]);
    expect([store.fleet.rows.length, store.fleet.buffer?.size]).toEqual([2, 1]);
  });

  it("does not let messages pile up when nothing is painted", () => {
    const store = new Store(() => undefined);
    for (let batch = 0; batch < 60; batch += 1) {
      const devices = Array.from({ length: 100 }, (_, index) => device(`d-${index}`, { version: batch + 1 }));
      store.dispatch({ kind: "messages", devices, malformed: 0, at: 0 });
    }
    expect(store.fleet.rows).toHaveLength(100);
  });
});
