import { describe, expect, it } from "vitest";
import { History, LEAST_PER_DEVICE, MOST_PER_DEVICE, Series, TOTAL_SAMPLES } from "../src/core/history";
import type { Device } from "../src/core/wire";
import { damaged, device as deviceOf } from "./device";

function device(id: string, reportedAt: number | null, values: Record<string, number> = { t: reportedAt ?? 0 }): Device {
  return deviceOf(id, { values, reportedAt });
}

function valuesOf(series: Series | undefined, name = "t"): readonly number[] {
  return Array.from({ length: series?.length ?? 0 }, (_, index) => series?.value(name, index) ?? NaN);
}

describe("the history of a device", () => {
  it("is kept oldest first", () => {
    const history = new History();
    for (const time of [1, 2, 3]) history.record(device("a", time));
    expect(valuesOf(history.of("a"))).toEqual([1, 2, 3]);
  });

  it("never holds more than its share, and drops the oldest", () => {
    const history = new History();
    for (let time = 1; time <= 3 * MOST_PER_DEVICE; time += 1) history.record(device("a", time));
    const series = history.of("a");
    expect(series?.length).toBe(MOST_PER_DEVICE);
    expect([series?.time(0), series?.time(MOST_PER_DEVICE - 1)]).toEqual([2 * MOST_PER_DEVICE + 1, 3 * MOST_PER_DEVICE]);
    expect(series?.value("t", MOST_PER_DEVICE - 1)).toBe(3 * MOST_PER_DEVICE);
  });

  it("shrinks its share as more devices come, down to a sparkline", () => {
    const history = new History();
    for (let time = 1; time <= MOST_PER_DEVICE; time += 1) history.record(device("a", time));
    for (let index = 0; index < 20_000; index += 1) history.record(device(`other-${index}`, 1));
    expect(history.capacity()).toBe(LEAST_PER_DEVICE);
    history.record(device("a", MOST_PER_DEVICE + 1));
    expect(valuesOf(history.of("a"))).toEqual(Array.from({ length: LEAST_PER_DEVICE }, (_, index) => MOST_PER_DEVICE + 2 - LEAST_PER_DEVICE + index));
  });

  it("is longer for the few devices that are looked at closely, as long as they are", () => {
    const history = new History();
    for (let index = 0; index < 20_000; index += 1) history.record(device(`other-${index}`, 1));
    history.favour(["other-7"]);
    for (let time = 2; time <= 1_000; time += 1) history.record(device("other-7", time));
    expect(history.of("other-7")?.length).toBe(1_000);
    history.favour([]);
    history.record(device("other-7", 1_001));
    expect(history.of("other-7")?.length).toBe(LEAST_PER_DEVICE);
  });

  it("keeps within the total while it is the larger bound", () => {
    const history = new History();
    for (let index = 0; index < 1000; index += 1) history.record(device(`d-${index}`, 1));
    expect(1000 * history.capacity()).toBeLessThanOrEqual(TOTAL_SAMPLES);
  });

  it("takes no sample from before the last one, and one sample for one moment", () => {
    const history = new History();
    for (const [time, t] of [[5, 1], [4, 2], [5, 3]] as const) history.record(device("a", time, { t }));
    expect(valuesOf(history.of("a"))).toEqual([3]);
  });

  it("takes no sample without a time", () => {
    const history = new History();
    history.record(device("a", null));
    expect(history.of("a")).toBeUndefined();
  });

  it("has a hole where a measurement was missing, and one before it first came", () => {
    const history = new History();
    history.record(device("a", 1, { t: 1 }));
    history.record(device("a", 2, { t: 2, h: 50 }));
    history.record(device("a", 3, { h: 51 }));
    expect(valuesOf(history.of("a"))).toEqual([1, 2, NaN]);
    expect(valuesOf(history.of("a"), "h")).toEqual([NaN, 50, 51]);
  });

  it("finds the sample of a moment", () => {
    const series = new Series();
    for (const time of [10, 20, 30]) series.push(time, {}, 100);
    expect([5, 10, 29, 30, 99, Infinity].map((time) => series.indexAt(time))).toEqual([-1, 0, 1, 2, 2, 2]);
  });

  it("tells by the ordinal whether something is new, also when the ring is full", () => {
    const series = new Series();
    for (let time = 1; time <= 10; time += 1) series.push(time, {}, 4);
    expect([series.length, series.ordinal(series.length - 1)]).toEqual([4, 10]);
    series.push(11, {}, 4);
    expect(series.ordinal(series.length - 1)).toBe(11);
  });

  it("has no hole where the stored state could not be read", () => {
    const history = new History();
    history.record(device("a", 1, { t: 5 }));
    history.record(damaged("a", "?", { reportedAt: 1 }));
    expect(valuesOf(history.of("a"))).toEqual([5]);
  });

  it("is forgotten when the device is gone", () => {
    const history = new History();
    history.record(device("a", 1));
    history.record(device("b", 1));
    history.retain(new Map([["b", 0]]));
    expect([history.of("a"), history.of("b")?.length]).toEqual([undefined, 1]);
  });
});
