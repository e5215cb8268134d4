// @ts-check
/** Virtual time: a clock that only commands set, and its timers. */

export class Clock {
  now = 0;
  /** Earliest first; timers of the same moment in the order in which they were set. @type {{ readonly at: number, readonly run: () => void }[]} */
  #timers = [];

  /**
   * Calls `run` once after this many milliseconds; returns a function that cancels it.
   * @param {number} milliseconds
   * @param {() => void} run
   */
  after(milliseconds, run) {
    const timer = { at: this.now + Math.max(0, milliseconds), run };
    const place = this.#timers.findIndex(({ at }) => at > timer.at);
    this.#timers.splice(place < 0 ? this.#timers.length : place, 0, timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** When the earliest timer is due; `null` without any. */
  get wakeAt() {
    return this.#timers[0]?.at ?? null;
  }

  /** Removes and returns the earliest timer, if it is due. */
  takeDue() {
    const timer = this.#timers[0];
    return timer !== undefined && timer.at <= this.now ? this.#timers.shift() : undefined;
  }
}
