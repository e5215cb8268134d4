// @ts-check
/** Answers commands, one run after the other. */
import { Run } from "./run.mjs";

/** @import { Command } from "./run.mjs" */
/** @import { Page } from "./screen.mjs" */

export class Server {
  /** @type {Run | null} */
  #run = null;
  /** A rejected promise that nobody handled. @type {unknown} */
  #failure = null;

  /** @param {Page} page */
  constructor(page) {
    this.page = page;
  }

  /**
   * A promise of the page was rejected, and nobody handled it.
   * @param {unknown} error
   */
  fail(error) {
    this.#failure ??= error;
  }

  /**
   * @param {string} line a command
   * @returns {Promise<string>} its answer
   */
  async answer(line) {
    try {
      const answer = await this.#perform(JSON.parse(line));
      if (this.#failure !== null) throw this.#failure;
      return JSON.stringify(answer);
    } catch (error) {
      this.#failure = null;
      return JSON.stringify({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  }

  /** @param {Command} command */
  #perform(command) {
    if (command.do === "begin") this.#run = new Run(this.page, { now: command.now, screens: command["screens"] });
    if (this.#run === null) throw new Error("no run has begun");
    return this.#run.perform(command);
  }
}
