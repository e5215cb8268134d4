import { describe, expect, it } from "vitest";
import { sourceId, sourceLabel, sourceOf } from "../src/core/source";
import { isUnreadable, readErrorCode, readJoined, readMessage, readSnapshotPage } from "../src/core/wire";

const STATE = {
  deviceId: "sensor-1", temperature: 0, pressure: 1013.2, humidity: null, light: null, geo: "Sydney",
  count: 7, version: 9, reportedAt: "2026-11-21T03:00:00.123Z", changedAt: "2026-11-21T02:59:00.000Z",
};

describe("a live message", () => {
  it("is read from an array of device states", () => {
    const { devices, malformed } = readMessage([STATE]);
    expect(malformed).toBe(0);
    expect(devices).toEqual([{
      id: "sensor-1", deviceId: "sensor-1", module: "", component: "", area: "Sydney", values: { temperature: 0, pressure: 1013.2 }, words: {},
      count: 7, version: 9, reportedAt: Date.parse("2026-11-21T03:00:00.123Z"), measuredAt: null,
      changedAt: Date.parse("2026-11-21T02:59:00.000Z"), problem: null,
    }]);
  });

  it("is read from a single device state", () => {
    expect(readMessage(STATE).devices.map(({ id }) => id)).toEqual(["sensor-1"]);
  });

  it("keeps zero as a value and leaves null out", () => {
    const [device] = readMessage([STATE]).devices;
    expect(device?.values["temperature"]).toBe(0);
    expect("humidity" in (device?.values ?? {})).toBe(false);
  });

  it("is read under the predecessor's names, with the count for a version", () => {
    const old = { DeviceId: "old", Celsius: 20.5, hPa: 1001, Humidity: 40, Light: 3, Geo: "Perth", Count: 12, Id: 99, Schema: 1 };
    expect(readMessage(old).devices).toEqual([{
      id: "old", deviceId: "old", module: "", component: "", area: "Perth", values: { temperature: 20.5, pressure: 1001, humidity: 40, light: 3 },
      words: {}, count: 12, version: 12, reportedAt: null, measuredAt: null, changedAt: null, problem: null,
    }]);
  });

  it("tells modules and components of a device apart", () => {
    const parts = [{}, { module: "edge" }, { component: "edge" }, { module: "edge", component: "t2" }, { module: null, component: "" }, { component: 5 }];
    const { devices } = readMessage(parts.map((part) => ({ ...STATE, ...part })));
    expect(devices.map(({ id }) => id)).toEqual(["sensor-1", "sensor-1|edge|", "sensor-1||edge", "sensor-1|edge|t2", "sensor-1", "sensor-1"]);
    expect(devices[3]).toMatchObject({ deviceId: "sensor-1", module: "edge", component: "t2", words: {} });
    expect(sourceLabel(devices[3]!)).toBe("sensor-1 / edge / t2");
  });

  it("may hold words, and says when its values were measured", () => {
    const [device] = readMessage({ ...STATE, door: true, status: "open", measuredAt: "2026-11-20T21:00:00Z" }).devices;
    expect(device).toMatchObject({ words: { door: true, status: "open" }, measuredAt: Date.UTC(2026, 10, 20, 21) });
    expect(readMessage({ deviceId: "d", version: 1, __proto__: null, status: null, n: {} }).devices[0]?.words).toEqual({});
  });

  it("may tell that a stored state cannot be read, and never drops that", () => {
    const problem = "Count is “many”, which is no number";
    const told = { deviceId: "d", problem, geo: null, temperature: null, count: null, version: 0, reportedAt: null };
    for (const state of [told, { deviceId: "d", problem }, { ...told, version: null }]) {
      const { devices, malformed } = readMessage(state);
      expect(malformed).toBe(0);
      expect(devices[0]).toMatchObject({ id: "d", problem, count: null, version: 0, values: {}, words: {} });
      expect(isUnreadable(devices[0]!)).toBe(true);
    }
    expect(isUnreadable(readMessage({ ...STATE, problem }).devices[0]!)).toBe(false);
  });

  it("keeps the exact spelling of an area", () => {
    expect([" Hay ", "  ", 5].map((geo) => readMessage({ ...STATE, geo }).devices[0]?.area)).toEqual([" Hay ", "", ""]);
  });

  it("does not rename a measurement that a catalogue calls like an old one", () => {
    expect(readMessage({ deviceId: "a", version: 1, Pressure: 3, messageId: 4 }).devices[0]?.values).toEqual({ Pressure: 3, messageId: 4 });
  });

  it.each([
    [undefined], [null], [5], ["text"], [{}], [{ deviceId: "a" }], [{ deviceId: " ", version: 1 }], [{ deviceId: 5, version: 1 }],
    [{ deviceId: "a", version: -1 }], [{ deviceId: "a", version: 1.5 }], [{ deviceId: "a", version: "1", count: 1 }], [[["nested"]]],
  ])("that makes no sense is counted and not thrown: %j", (argument) => {
    expect(readMessage(argument)).toEqual({ devices: [], malformed: 1 });
  });

  it("keeps what can be read when something else cannot", () => {
    const { devices, malformed } = readMessage([{ nonsense: true }, STATE, null]);
    expect([devices.length, malformed]).toEqual([1, 2]);
  });

  it("takes no word for a number, and unreadable times for missing", () => {
    const [device] = readMessage({ ...STATE, temperature: "21", pressure: {}, reportedAt: "yesterday", changedAt: 5 }).devices;
    expect(device).toMatchObject({ values: {}, reportedAt: null, changedAt: null });
  });
});

describe("a snapshot reply", () => {
  it("brings devices, the catalogue and where it goes on", () => {
    const body = {
      devices: [STATE],
      measurements: [{ name: "temperature", unit: "°C", min: -40, max: 80 }, { name: "light" }, { unit: "?" }, 7,
        { name: "door", kind: "flag" }, { name: "status", kind: "text", values: ["ok", 5, "off"] }, { name: "odd", kind: "colour", values: "x" }],
      continuation: "next",
    };
    expect(readSnapshotPage(body)).toMatchObject({
      measurements: [
        { name: "temperature", kind: "number", values: [], unit: "°C", min: -40, max: 80 },
        { name: "light", kind: "number", values: [], unit: "", min: null, max: null },
        { name: "door", kind: "flag", values: [], unit: "", min: null, max: null },
        { name: "status", kind: "text", values: ["ok", "off"], unit: "", min: null, max: null },
        { name: "odd", kind: "number", values: [], unit: "", min: null, max: null },
      ],
      continuation: "next",
      malformed: 0,
    });
  });

  it("ends where there is no continuation", () => {
    expect(readSnapshotPage({ devices: [], continuation: null })?.continuation).toBeNull();
    expect(readSnapshotPage({ devices: [], continuation: "" })?.continuation).toBeNull();
  });

  it("has a cursor when the service supports that", () => {
    expect(readSnapshotPage({ devices: [], cursor: "c1" })?.cursor).toBe("c1");
    expect([{ devices: [] }, { devices: [], cursor: "" }, { devices: [], cursor: 7 }].map((body) => readSnapshotPage(body)?.cursor)).toEqual([null, null, null]);
  });

  it("tells where devices are that were not asked for", () => {
    const body = { devices: [], elsewhere: [{ deviceId: "d7", geo: "Perth", version: 12 }, { deviceId: "d8", version: "?" }, null] };
    expect(readSnapshotPage(body)?.elsewhere).toMatchObject([{ id: "d7", area: "Perth", version: 12, values: {}, reportedAt: null }]);
    expect([{ devices: [] }, { devices: [], elsewhere: "x" }, []].map((other) => readSnapshotPage(other)?.elsewhere)).toEqual([[], [], []]);
  });

  it("that confirms a group says when it settles", () => {
    expect([5, 0].map((settlesAfterSeconds) => readJoined({ group: "all", settlesAfterSeconds }))).toEqual([{ group: "all", settlesAfter: 5 }, { group: "all", settlesAfter: 0 }]);
    const nothing = [undefined, {}, { settlesAfterSeconds: 5 }, { group: "all" }, { group: 5, settlesAfterSeconds: 5 }, { group: "all", settlesAfterSeconds: -1 }];
    expect(nothing.map(readJoined)).toEqual(nothing.map(() => null));
  });

  it("that is an error has a code", () => {
    expect(readErrorCode({ code: "bad_cursor", error: "a sentence" })).toBe("bad_cursor");
    expect([undefined, null, "x", [], {}, { code: 5 }].map(readErrorCode)).toEqual(["", "", "", "", "", ""]);
  });

  it("may be the predecessor's bare array", () => {
    expect(readSnapshotPage([{ DeviceId: "old", Count: 1 }])?.devices).toHaveLength(1);
  });

  it.each([[undefined], [null], ["<html>"], [{}], [{ devices: {} }]])("is `null` when it is something else: %j", (body) => {
    expect(readSnapshotPage(body)).toBeNull();
  });
});

describe("the id of a source", () => {
  const NAMES = ["", "a", "a|b", "|", "||", "%", "%7C", "%25", "%257C", "a%7", "C", "ü/\\#?", "\ud800"];

  it("is the name of a device, and gives back all names", () => {
    const seen = new Map<string, string>();
    for (const deviceId of NAMES.slice(1)) for (const module of NAMES) for (const component of NAMES) {
      const source = { deviceId, module, component };
      const id = sourceId(source);
      expect(seen.get(id), id).toBeUndefined();
      seen.set(id, JSON.stringify(source));
      expect(sourceOf(id)).toEqual(source);
    }
    expect(["sensor-1", "50%", "%7C"].map((deviceId) => sourceId({ deviceId, module: "", component: "" }))).toEqual(["sensor-1", "50%", "%7C"]);
  });
});
