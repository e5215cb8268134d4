// @ts-check
/** A record of what a screen was told and of what it showed, kept independently of the page. Reports broken promises. */

/** @import { Fleet } from "../../../dashboard/src/convergence" */
/** @import { State } from "./without.mjs" */

/** @typedef {{ readonly promise: string, readonly detail: string }} Violation */

export class ScreenRecord {
  /** The highest version of each device that was ever shown. @type {Map<string, number>} */
  #newest = new Map();
  /** Whole states by version and device. @type {Map<string, State>} */
  #told = new Map();
  /** @type {Fleet["rows"] | null} */
  #rows = null;

  /** @param {(violation: Violation) => void} report */
  constructor(report) {
    this.report = report;
  }

  /**
   * States have arrived. Those without a count tell only where a device is.
   * @param {unknown} states
   */
  told(states) {
    for (const state of Array.isArray(states) ? states : [states]) if (typeof state?.count === "number") this.#tell(state);
  }

  /**
   * The page has taken a step. `version` gives the store's version for one that the page knows.
   * @param {Fleet} fleet
   * @param {(version: number) => number} version
   */
  showed({ rows, following: { areas, devices } }, version) {
    if (rows === this.#rows) return;
    this.#rows = rows;
    const everything = areas.length + devices.length === 0;
    for (const { device } of rows) {
      const { id, deviceId, area } = device;
      this.#show(id, version(device.version));
      // The area of a state that the service cannot read is not known.
      const isAnywhere = device.problem !== null && area === "";
      if (everything || isAnywhere || areas.includes(area) || devices.includes(deviceId)) continue;
      this.report({ promise: "a screen shows only what it follows", detail: `${id} in "${area}"` });
    }
  }

  /**
   * @param {string} id
   * @param {number} version
   */
  #show(id, version) {
    const newest = this.#newest.get(id) ?? version;
    if (version < newest) this.report({ promise: "no screen shows older after newer", detail: `${id}: version ${version} after ${newest}` });
    this.#newest.set(id, Math.max(version, newest));
  }

  /** @param {State} state */
  #tell(state) {
    const name = JSON.stringify(["version", "deviceId", "module", "component"].map((member) => state[member] ?? null));
    const before = this.#told.get(name);
    if (before === undefined) this.#told.set(name, state);
    else if (sorted(before) !== sorted(state)) this.report({ promise: "one version is one state", detail: `${JSON.stringify(before)} and ${JSON.stringify(state)}` });
  }
}

/** @param {State} state */
function sorted(state) {
  return JSON.stringify(Object.entries(state).sort(([one], [other]) => (one < other ? -1 : 1)));
}
