// @ts-check
/** The page's `fetch`, answered by the simulation. Requests are numbered. */

/** @import { Outbox } from "./outbox.mjs" */

/**
 * @typedef {object} Reply
 * @property {number} status
 * @property {Record<string, string>} [headers] names in lower case
 * @property {string} [body]
 *
 * @typedef {object} Waiting
 * @property {(response: Response) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {(reply: Reply) => Response} read
 */

export class Http {
  /** By number; `null` when it has been answered or aborted. @type {(Waiting | null)[]} */
  #requests = [];

  /** @param {Outbox} outbox */
  constructor(outbox) {
    this.outbox = outbox;
  }

  /**
   * Asks the simulation. `read` turns its answer into what the page gets.
   * @param {number} screen
   * @param {string} path with the query
   * @param {RequestInit} init
   * @param {(reply: Reply) => Response} read
   * @returns {Promise<Response>}
   */
  fetch(screen, path, { method = "GET", signal, headers, body }, read) {
    const request = this.#requests.length;
    return new Promise((resolve, reject) => {
      this.#requests.push({ resolve, reject, read });
      const sent = { do: "fetch", screen, request, method, path, headers: { ...headers } };
      this.outbox.request(typeof body === "string" ? { ...sent, body } : sent);
      signal?.addEventListener("abort", () => {
        if (this.#take(request) === null) return;
        this.outbox.request({ do: "abort", screen, request });
        reject(new DOMException("aborted", "AbortError"));
      });
    });
  }

  /**
   * The answer arrives. It is ignored when the request was aborted.
   * @param {unknown} request
   * @param {Reply} reply
   */
  answer(request, reply) {
    const waiting = this.#take(request);
    waiting?.resolve(waiting.read(reply));
  }

  /**
   * No answer will come.
   * @param {unknown} request
   */
  fail(request) {
    this.#take(request)?.reject(new TypeError("fetch failed"));
  }

  /** @param {unknown} request */
  #take(request) {
    const waiting = this.#requests[Number(request)];
    if (waiting === undefined) throw new Error(`there is no request ${request}`);
    this.#requests[Number(request)] = null;
    return waiting;
  }
}

/**
 * Has only those members of a `Response` that the page reads, so that reading it needs no turn of the event loop.
 * @param {Reply} reply
 * @param {unknown} json its parsed body; `undefined` when it is not JSON
 */
export function response({ status, headers = {} }, json) {
  const partial = {
    ok: status >= 200 && status < 300,
    status,
    headers: { get: (/** @type {string} */ name) => headers[name.toLowerCase()] ?? null },
    json: async () => {
      if (json === undefined) throw new SyntaxError("no JSON");
      return json;
    },
  };
  return /** @type {Response} */ (/** @type {unknown} */ (partial));
}

/**
 * `undefined` when it is not JSON.
 * @param {string | undefined} text
 * @returns {unknown}
 */
export function parsed(text) {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}
