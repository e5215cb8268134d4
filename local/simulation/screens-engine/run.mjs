// @ts-check
/** One run: its virtual time, its screens, and the commands to them. */
import { Clock } from "./clock.mjs";
import { Connections } from "./connections.mjs";
import { Http } from "./http.mjs";
import { Outbox } from "./outbox.mjs";
import { Screen } from "./screen.mjs";
import { promisesAtRest, turn } from "./turn.mjs";

/** @import { Reply } from "./http.mjs" */
/** @import { Page, Settings, Summary } from "./screen.mjs" */

/** @typedef {Record<string, any> & { readonly do: string, readonly now: number }} Command its other members as engine.mjs says */

/** When more timers than this run at one moment, the page is in an endless loop. */
const MOST_TIMERS = 1_000;

export class Run {
  #clock = new Clock();
  #outbox = new Outbox();
  #connections = new Connections(this.#outbox);
  #http = new Http(this.#outbox);
  /** @type {readonly Screen[]} */
  #screens;
  /** What was told of each screen last. @type {Summary[]} */
  #told = [];

  /**
   * @param {Page} page
   * @param {{ readonly now: number, readonly screens: readonly Settings[] }} begin
   */
  constructor(page, { now, screens }) {
    this.#clock.now = now;
    const env = { clock: this.#clock, connections: this.#connections, http: this.#http, outbox: this.#outbox };
    this.#screens = screens.map((settings, number) => new Screen(page, env, number, settings));
  }

  /**
   * Carries out a command with everything that follows from it, and returns the answer.
   * @param {Command} command
   */
  async perform(command) {
    this.#setClock(command.now);
    const shown = await this.#dispatch(command);
    await this.#settle();
    // For exceptions that nobody handled; too slow for every command.
    if (command.do === "show") await turn();
    const { requests, violations } = this.#outbox.take();
    const screens = this.#changedScreens();
    return {
      requests,
      wakeAt: this.#clock.wakeAt,
      ...(screens.length > 0 ? { screens } : {}),
      ...(violations.length > 0 ? { violations } : {}),
      ...(shown === undefined ? {} : { shown }),
    };
  }

  /** @param {number} now */
  #setClock(now) {
    if (!(now >= this.#clock.now)) throw new Error(`time goes back from ${this.#clock.now} to ${now}`);
    this.#clock.now = now;
  }

  /** @param {Command} command */
  #dispatch(command) {
    const { connection, request, screen } = command;
    switch (command.do) {
      case "begin":
        return undefined;
      case "advance":
        return this.#advance();
      case "start":
        return this.#screen(screen).replica.start();
      case "stop":
        return this.#screen(screen).replica.stop();
      case "follow":
        return this.#screen(screen).replica.follow(command["following"]);
      case "retryNow":
        return this.#screen(screen).replica.retryNow();
      case "show":
        return this.#screen(screen).show();
      case "started":
        return this.#connections.at(connection).started(command["connectionId"]);
      case "startFailed":
        return this.#connections.at(connection).startFailed(command["step"], command["status"]);
      case "message":
        return this.#connections.at(connection).receive(command["target"], command["arguments"][0]);
      case "closed":
        return this.#connections.at(connection).closed();
      case "fetched":
        return this.#http.answer(request, /** @type {Reply & Command} */ (command));
      case "fetchFailed":
        return this.#http.fail(request);
      default:
        throw new Error(`"${command.do}" is no command`);
    }
  }

  /** @param {unknown} number */
  #screen(number) {
    const screen = this.#screens[Number(number)];
    if (screen === undefined) throw new Error(`there is no screen ${number}`);
    return screen;
  }

  async #advance() {
    for (let timers = 0; timers < MOST_TIMERS; timers += 1) {
      const timer = this.#clock.takeDue();
      if (timer === undefined) return;
      timer.run();
      await this.#settle();
    }
    throw new Error(`more than ${MOST_TIMERS} timers at ${this.#clock.now}`);
  }

  /** Waits until the screens are at rest. */
  async #settle() {
    let before;
    do {
      await promisesAtRest();
      before = this.#outbox.activity;
      for (const screen of this.#screens) screen.look();
    } while (this.#outbox.activity !== before);
  }

  #changedScreens() {
    const changed = this.#screens.map(({ summary }) => summary).filter((summary) => !isSame(summary, this.#told[summary.screen]));
    for (const summary of changed) this.#told[summary.screen] = summary;
    return changed;
  }
}

/**
 * @param {Summary} one
 * @param {Summary} [other]
 */
function isSame(one, other) {
  return one.status === other?.status && one.loaded === other.loaded && one.connection === other.connection;
}
