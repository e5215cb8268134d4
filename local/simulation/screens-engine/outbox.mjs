// @ts-check
/** Collects what a command has caused, for its answer. */

/** @typedef {Record<string, unknown> & { readonly do: string, readonly screen: number }} Request what the simulation is to do */
/** @typedef {{ readonly screen: number, readonly promise: string, readonly detail: string }} Violation a promise that was broken */

export class Outbox {
  /** Grows with everything that a screen does; when it stays the same, the screens are at rest. */
  activity = 0;
  /** @type {Request[]} */
  #requests = [];
  /** @type {Violation[]} */
  #violations = [];

  /** @param {Request} request */
  request(request) {
    this.activity += 1;
    this.#requests.push(request);
  }

  /** @param {Violation} violation */
  violated(violation) {
    this.#violations.push(violation);
  }

  take() {
    const taken = { requests: this.#requests, violations: this.#violations };
    this.#requests = [];
    this.#violations = [];
    return taken;
  }
}
