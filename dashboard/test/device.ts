/** Device states and measurements for tests. */
import { sourceOf } from "../src/core/source";
import type { Device, Measurement } from "../src/core/wire";

export function device(id: string, more: Partial<Device> = {}): Device {
  const nothing = { area: "", values: {}, words: {}, count: 1, version: 1, reportedAt: null, measuredAt: null, changedAt: null, problem: null };
  return { id, ...sourceOf(id), ...nothing, ...more };
}

/** A state that the service cannot read. */
export function damaged(id: string, problem: string, more: Partial<Device> = {}): Device {
  return device(id, { count: null, version: 0, problem, ...more });
}

export function measurement(name: string, more: Partial<Measurement> = {}): Measurement {
  return { name, kind: "number", values: [], unit: "", min: null, max: null, ...more };
}
