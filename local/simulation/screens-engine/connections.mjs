// @ts-check
/** SignalR connections as the page sees them. Their service is the simulation. */

/** @import { Cause, Connection } from "../../../dashboard/src/convergence" */
/** @import { Outbox } from "./outbox.mjs" */

/** The target of every live message. */
const TARGET = "newMessage";

/**
 * @typedef {object} Handlers
 * @property {(argument: unknown) => unknown} receive turns what arrives into what the page gets
 * @property {(cause: Cause) => Error} failure makes the error of a failed start
 */

/** All connections of a run, by number. */
export class Connections {
  /** @type {VirtualConnection[]} */
  #all = [];

  /** @param {Outbox} outbox */
  constructor(outbox) {
    this.outbox = outbox;
  }

  /**
   * A new one, not yet started.
   * @param {number} screen
   * @param {Handlers} handlers
   */
  open(screen, handlers) {
    const connection = new VirtualConnection(this.outbox, { screen, connection: this.#all.length }, handlers);
    this.#all.push(connection);
    return connection;
  }

  /** @param {unknown} number */
  at(number) {
    const connection = this.#all[Number(number)];
    if (connection === undefined) throw new Error(`there is no connection ${number}`);
    return connection;
  }
}

/** @implements {Connection} */
export class VirtualConnection {
  /** The service's name for it, while it is up. @type {string | null} */
  connectionId = null;
  /** @type {"new" | "starting" | "up" | "ended"} */
  #state = "new";
  /** @type {(argument: unknown) => void} */
  #onMessage = () => undefined;
  #onClose = () => {};
  #resolveStart = () => {};
  /** @type {(error: Error) => void} */
  #rejectStart = () => undefined;

  /**
   * @param {Outbox} outbox
   * @param {{ readonly screen: number, readonly connection: number }} name
   * @param {Handlers} handlers
   */
  constructor(outbox, name, handlers) {
    this.outbox = outbox;
    this.name = name;
    this.handlers = handlers;
  }

  get isUp() {
    return this.#state === "up";
  }

  /** @returns {Promise<void>} */
  start() {
    this.#state = "starting";
    this.outbox.request({ do: "start", ...this.name });
    return new Promise((resolve, reject) => {
      this.#resolveStart = resolve;
      this.#rejectStart = reject;
    });
  }

  /** As with the npm client, one that was up reports that it was closed. */
  async stop() {
    const { isUp } = this;
    if (!isUp && this.#state !== "starting") return;
    this.#end();
    this.outbox.request({ do: "end", ...this.name });
    await undefined;
    if (isUp) this.#onClose();
  }

  /** @param {(argument: unknown) => void} handler */
  onMessage(handler) {
    this.#onMessage = handler;
  }

  /** @param {() => void} handler */
  onClose(handler) {
    this.#onClose = handler;
  }

  /**
   * It is up.
   * @param {string} id
   */
  started(id) {
    if (this.#state !== "starting") return;
    this.#state = "up";
    this.connectionId = id;
    this.#resolveStart();
  }

  /**
   * It could not be made. Without a status, nobody answered.
   * @param {"negotiate" | "push"} [step]
   * @param {number} [status]
   */
  startFailed(step = "push", status) {
    if (this.#state === "starting") this.#end(status === undefined ? { kind: "unreachable", step } : { kind: "status", step, status });
  }

  /**
   * A message arrives.
   * @param {string} target
   * @param {unknown} argument
   */
  receive(target, argument) {
    if (this.isUp && target === TARGET) this.#onMessage(this.handlers.receive(argument));
  }

  /** It is lost. */
  closed() {
    const { isUp } = this;
    this.#end();
    if (isUp) this.#onClose();
  }

  /** @param {Cause} cause */
  #end(cause = { kind: "unreachable", step: "push" }) {
    if (this.#state === "starting") this.#rejectStart(this.handlers.failure(cause));
    this.#state = "ended";
    this.connectionId = null;
  }
}
