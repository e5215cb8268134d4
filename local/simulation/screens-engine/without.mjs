// @ts-check
/**
 * Takes one protection of the page away at its ports, to show that the simulation finds what it protects from. The page's
 * code knows nothing of this. Every class has the same members:
 *
 * - `message(states)` and `answer(body)` change what comes in;
 * - `version(version)` gives the version that the store knows, for one that the page knows;
 * - `question(query)` answers a question in place of the store, or gives `null` to let the store answer it;
 * - `answered(query)` is called when the store has answered a question completely.
 */

/** @import { Fleet, Following } from "../../../dashboard/src/convergence" */

/**
 * @typedef {Record<string, unknown>} State one device state as it is on the wire
 * @typedef {Record<string, unknown>} Body the body of `getdevicestate`
 * @typedef {() => { readonly fleet: Fleet, readonly following: Following }} Look at what the page has
 */

/** All protections are in place. */
export class Untouched {
  /** @param {unknown[]} states */
  message(states) {
    return states;
  }

  /** @param {Body} body */
  answer(body) {
    return body;
  }

  /** @param {number} version */
  version(version) {
    return version;
  }

  /**
   * @param {URLSearchParams} _query
   * @returns {Body | null}
   */
  question(_query) {
    return null;
  }

  /** @param {URLSearchParams} _query */
  answered(_query) {}
}

/** What comes last is always the newest to the page: versions are rewritten, except where a state only repeats. */
class ScreenVersion extends Untouched {
  #written = 0;
  /** @type {Map<string, { readonly told: number, readonly written: number }>} */
  #last = new Map();
  /** @type {Map<number, number>} The store's versions by those that were written instead. */
  #truth = new Map();

  /** @override @param {unknown[]} states */
  message(states) {
    return states.map((state) => this.#rewritten(/** @type {State} */ (state)));
  }

  /** @override @param {Body} body */
  answer(body) {
    const rewritten = (/** @type {unknown} */ states) => this.message(/** @type {unknown[]} */ (states ?? []));
    return { ...body, devices: rewritten(body["devices"]), elsewhere: rewritten(body["elsewhere"]) };
  }

  /** @override @param {number} version */
  version(version) {
    return this.#truth.get(version) ?? version;
  }

  /** @param {State} state */
  #rewritten(state) {
    const id = JSON.stringify([state["deviceId"], state["module"], state["component"]]);
    const told = Number(state["version"]);
    let last = this.#last.get(id);
    if (last?.told !== told) {
      last = { told, written: (this.#written += 1) };
      this.#last.set(id, last);
      this.#truth.set(last.written, told);
    }
    return { ...state, version: last.written };
  }
}

/** After the first snapshot of what is followed, the page is told that nothing has changed, and the store is not asked. */
class CatchUp extends Untouched {
  /** What it has had a snapshot of. @type {string | null} */
  #known = null;

  /** @param {Look} look */
  constructor(look) {
    super();
    this.look = look;
  }

  /** @override @param {URLSearchParams} query */
  question(query) {
    if (this.#known !== followed(query)) return null;
    const since = query.get("since");
    return { devices: since === null ? this.#shown() : [], measurements: [], elsewhere: [], cursor: since ?? "none" };
  }

  /** @override @param {URLSearchParams} query */
  answered(query) {
    this.#known = followed(query);
  }

  /** What the page shows, as the store would tell it. */
  #shown() {
    return this.look().fleet.rows.map(({ device }) => ({
      ...namesOf(device), ...device.values, ...device.words, geo: device.area, count: device.count, version: device.version,
      reportedAt: isoText(device.reportedAt), measuredAt: isoText(device.measuredAt), changedAt: isoText(device.changedAt),
      ...(device.problem === null ? {} : { problem: device.problem }),
    }));
  }
}

/** The page is never told that a device has left an area. */
class Elsewhere extends Untouched {
  /** @param {Look} look */
  constructor(look) {
    super();
    this.look = look;
  }

  /** @override @param {unknown[]} states */
  message(states) {
    const { areas, devices } = this.look().following;
    if (areas.length + devices.length === 0) return states;
    return states.filter((state) => {
      const { geo, deviceId } = /** @type {State} */ (state);
      return areas.includes(String(geo)) || devices.includes(String(deviceId));
    });
  }

  /** @override @param {Body} body */
  answer(body) {
    return { ...body, elsewhere: [] };
  }
}

/**
 * @param {string | null} protection
 * @param {Look} look
 * @returns {Untouched}
 */
export function without(protection, look) {
  switch (protection) {
    case null:
      return new Untouched();
    case "ScreenVersion":
      return new ScreenVersion();
    case "CatchUp":
      return new CatchUp(look);
    case "Elsewhere":
      return new Elsewhere(look);
    default:
      throw new Error(`${protection} is no protection of a screen`);
  }
}

/** @param {URLSearchParams} query */
function followed(query) {
  return JSON.stringify([query.getAll("geo"), query.getAll("deviceId")]);
}

/**
 * The names of a source, as on the wire.
 * @param {{ readonly deviceId: string, readonly module: string, readonly component: string }} source
 */
export function namesOf({ deviceId, module, component }) {
  return { deviceId, ...(module === "" ? {} : { module }), ...(component === "" ? {} : { component }) };
}

/** @param {number | null} time milliseconds since 1970 */
export function isoText(time) {
  return time === null ? null : new Date(time).toISOString();
}
