import { describe, expect, it } from "vitest";
import { readErrorCode, readMessage, readSettlingTime, readSnapshotPage } from "../src/core/wire";

const STATE = {
  deviceId: "sensor-1", temperature: 0, pressure: 1013.2, humidity: null, light: null, geo: "Sydney",
  count: 7, version: 9, reportedAt: "2026-11-21T03:00:00.123Z", changedAt: "2026-11-21T02:59:00.000Z",
};

describe("a live message", () => {
  it("is read from an array of device states", () => {
    const { devices, malformed } = readMessage([STATE]);
    expect(malformed).toBe(0);
    expect(devices).toEqual([{
      id: "sensor-1", area: "Sydney", values: { temperature: 0, pressure: 1013.2 }, count: 7, version: 9,
      reportedAt: Date.parse("2026-11-21T03:00:00.123Z"), changedAt: Date.parse("2026-11-21T02:59:00.000Z"),
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
      id: "old", area: "Perth", values: { temperature: 20.5, pressure: 1001, humidity: 40, light: 3 },
      count: 12, version: 12, reportedAt: null, changedAt: null,
    }]);
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

  it("takes values of other types and unreadable times for missing", () => {
    const [device] = readMessage({ ...STATE, temperature: "21", pressure: {}, reportedAt: "yesterday", changedAt: 5 }).devices;
    expect(device).toMatchObject({ values: {}, reportedAt: null, changedAt: null });
  });
});

describe("a snapshot reply", () => {
  it("brings devices, the catalogue and where it goes on", () => {
    const body = {
      devices: [STATE],
      measurements: [{ name: "temperature", unit: "°C", min: -40, max: 80 }, { name: "light" }, { unit: "?" }, 7],
      continuation: "next",
    };
    expect(readSnapshotPage(body)).toMatchObject({
      measurements: [{ name: "temperature", unit: "°C", min: -40, max: 80 }, { name: "light", unit: "", min: null, max: null }],
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
    expect([{ settlesAfterSeconds: 5 }, { settlesAfterSeconds: 0 }].map(readSettlingTime)).toEqual([5, 0]);
    expect([undefined, {}, { settlesAfterSeconds: "5" }, { settlesAfterSeconds: -1 }].map(readSettlingTime)).toEqual([null, null, null, null]);
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
