// @ts-check
/** One screen: the page's own `Replica`, with ports that the simulation serves. */
import { dice } from "./dice.mjs";
import { parsed, response } from "./http.mjs";
import { ScreenRecord } from "./record.mjs";
import { isoText, namesOf, without } from "./without.mjs";

/** @import { Fleet, Following, LinkError, Replica } from "../../../dashboard/src/convergence" */
/** @import { Clock } from "./clock.mjs" */
/** @import { Connections, VirtualConnection } from "./connections.mjs" */
/** @import { Http, Reply } from "./http.mjs" */
/** @import { Outbox } from "./outbox.mjs" */
/** @import { Body } from "./without.mjs" */

/** @typedef {{ readonly Replica: typeof Replica, readonly LinkError: typeof LinkError }} Page what is used of the client module */
/** @typedef {{ readonly clock: Clock, readonly connections: Connections, readonly http: Http, readonly outbox: Outbox }} Env */

/**
 * @typedef {object} Settings
 * @property {Following} following
 * @property {number} seed
 * @property {string | null} [without]
 * @property {boolean} [attentive]
 */

/**
 * @typedef {object} Summary
 * @property {number} screen
 * @property {string} status
 * @property {number | null} loaded when the question to the store was asked whose complete answer was applied last
 * @property {number | null} connection the one that is up
 */

/** Where the API is. Only paths are told to the simulation. */
const ORIGIN = "http://fieldcast.test";

export class Screen {
  /** As in its summary. @type {number | null} */
  #loaded = null;
  /** When the last question was asked. */
  #askedAt = 0;
  /** The connection that it made last. @type {VirtualConnection | null} */
  #connection = null;

  /**
   * @param {Page} page
   * @param {Env} env
   * @param {number} number
   * @param {Settings} settings
   */
  constructor(page, env, number, settings) {
    this.page = page;
    this.env = env;
    this.number = number;
    this.attentive = settings.attentive ?? true;
    this.without = without(settings.without ?? null, () => this.replica);
    this.record = new ScreenRecord((violation) => env.outbox.violated({ screen: number, ...violation }));
    this.replica = new page.Replica(
      this.#ports(settings.seed),
      { onChange: () => this.#onChange(), onStep: (fleet) => this.#onStep(fleet) },
      settings.following,
    );
  }

  /** Applies what has arrived, as a visible page does in its next frame. */
  look() {
    if (this.attentive) this.replica.flush();
  }

  /** What is told of it whenever it changes. @returns {Summary} */
  get summary() {
    const connection = this.#connection?.isUp === true ? this.#connection.name.connection : null;
    return { screen: this.number, status: this.replica.status, loaded: this.#loaded, connection };
  }

  /** What the screen shows. */
  show() {
    const { fleet, following, link, status } = this.replica;
    const rows = fleet.rows.toSorted((one, other) => (one.device.id < other.device.id ? -1 : 1));
    const devices = rows.map(({ device }) => ({
      ...namesOf(device),
      geo: device.area === "" ? null : device.area,
      values: device.values,
      ...(Object.keys(device.words).length === 0 ? {} : { words: device.words }),
      count: device.count,
      version: this.without.version(device.version),
      reportedAt: isoText(device.reportedAt),
      ...(device.measuredAt === null ? {} : { measuredAt: isoText(device.measuredAt) }),
      changedAt: isoText(device.changedAt),
      ...(device.problem === null ? {} : { problem: device.problem }),
    }));
    return { status, phase: link.phase.kind, following, contradictions: fleet.contradictions, devices };
  }

  /** @param {number} seed */
  #ports(seed) {
    const { clock } = this.env;
    return {
      base: `${ORIGIN}/api`,
      connect: () => this.#connect(),
      fetch: (/** @type {RequestInfo | URL} */ input, /** @type {RequestInit} */ init = {}) => this.#fetch(new URL(String(input)), init),
      time: { now: () => clock.now, after: clock.after.bind(clock), chance: dice(seed) },
    };
  }

  #connect() {
    this.#connection = this.env.connections.open(this.number, {
      receive: (argument) => this.#receive(argument),
      failure: (cause) => new this.page.LinkError(cause),
    });
    return this.#connection;
  }

  #onChange() {
    this.env.outbox.activity += 1;
  }

  /** @param {Fleet} fleet */
  #onStep(fleet) {
    this.record.showed(fleet, (version) => this.without.version(version));
  }

  /** @param {unknown} argument */
  #receive(argument) {
    const states = Array.isArray(argument) ? argument : [argument];
    this.record.told(states);
    return this.without.message(states);
  }

  /**
   * @param {URL} address
   * @param {RequestInit} init
   * @returns {Promise<Response>}
   */
  async #fetch({ pathname, search, searchParams }, init) {
    const send = (/** @type {(reply: Reply) => Response} */ read) => this.env.http.fetch(this.number, `${pathname}${search}`, init, read);
    if (!pathname.endsWith("/getdevicestate")) return send((reply) => response(reply, parsed(reply.body)));
    if (!searchParams.has("continuation")) this.#askedAt = this.env.clock.now;
    const answer = this.without.question(searchParams);
    if (answer === null) return send((reply) => this.#answered(searchParams, reply));
    this.#loaded = this.#askedAt;
    return response({ status: 200 }, answer);
  }

  /**
   * @param {URLSearchParams} query
   * @param {Reply} reply
   */
  #answered(query, reply) {
    const body = /** @type {Body | undefined} */ (parsed(reply.body));
    const devices = body?.["devices"];
    if (body === undefined || reply.status !== 200 || !Array.isArray(devices)) return response(reply, body);
    this.record.told(devices);
    if (body["continuation"] === undefined) {
      this.#loaded = this.#askedAt;
      this.without.answered(query);
    }
    return response(reply, this.without.answer(body));
  }
}
