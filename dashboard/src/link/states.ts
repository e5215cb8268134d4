/** The states, events and effects of the connection's state machine (`machine.ts`). */
import { EVERYTHING, type Following } from "../core/following";
import type { Cause } from "./cause";

/** The number of an attempt to be live, from 1. */
export type Session = number;

export type Phase =
  | { readonly kind: "idle" }
  /** The SignalR connection is being made. */
  | { readonly kind: "opening" }
  /** Connected; the service is asked to add the connection to the groups of what is followed. */
  | { readonly kind: "joining" }
  /** Live messages are held back until the store has answered; not until `retryAt`, when the service is too busy to answer. */
  | { readonly kind: "loading"; readonly retryAt?: number }
  | Live
  | { readonly kind: "waiting"; readonly retryAt: number };

/** Times are by the page's clock. */
export interface Live {
  readonly kind: "live";
  readonly since: number;
  /** When a message or an answer of the store last showed that the page is up to date. */
  readonly knownAt: number;
  /** When the store last answered, or failed to. */
  readonly loadedAt: number;
  /** After this much silence the store is asked. */
  readonly quiet: number;
  /** How many answers in a row said that nothing had changed. */
  readonly confirmations: number;
  /** Whether a message came in this session. */
  readonly heard: boolean;
  /** `doubting`: the store told changes that no message brought, so a message must come soon. */
  readonly doing: "listening" | "asking" | "doubting";
}

export interface LinkState {
  readonly phase: Phase;
  readonly session: Session;
  /** How many sessions in a row failed. */
  readonly failures: number;
  readonly everLive: boolean;
  /** When the page stopped being live, or was started. */
  readonly downSince: number;
  readonly following: Following;
  /** Groups that the service refused, since somebody last chose what to follow. */
  readonly refused: readonly string[];
  /** The service wants to be left alone until then. */
  readonly notBefore: number;
  /** Groups that this session asked to join and has not left. */
  readonly entered: readonly string[];
  /** Those of them that the service has confirmed. */
  readonly joined: readonly string[];
  /** From when on every process sends to the groups; `null` once the store has answered a question asked after that. */
  readonly settlesAt: number | null;
  /** When the store was last asked. */
  readonly askedAt: number;
  /** The store is asked for changes since this; `null` when only a full snapshot will do. */
  readonly cursor: string | null;
  /** When the last full snapshot came. */
  readonly fullAt: number;
  /** Why the last session or the last question to the store failed; `null` once that is over. */
  readonly cause: Cause | null;
}

/** What the state machine has to know of the store's answer. */
export interface Answer {
  readonly full: boolean;
  readonly cursor: string | null;
  /** It held states that had not come as messages. */
  readonly news: boolean;
  /** It contradicts the rows on the page: this is another store, and its cursor says nothing about the old rows. */
  readonly contradicted: boolean;
}

export type LinkEvent =
  | { readonly kind: "start" }
  | { readonly kind: "stop" }
  /** Something else is followed from now on. */
  | { readonly kind: "follow"; readonly following: Following }
  | { readonly kind: "opened"; readonly session: Session }
  /** All groups are confirmed. Every process sends to them after this many milliseconds; `null`: it sends in any case. */
  | { readonly kind: "joined"; readonly session: Session; readonly settlesAfter: number | null }
  /** The service does not take the names of these groups. */
  | { readonly kind: "refused"; readonly session: Session; readonly groups: readonly string[] }
  /** A part of the store's answer has come; the next is asked for after this many milliseconds. */
  | { readonly kind: "progressed"; readonly session: Session; readonly wait: number }
  /** A live message arrived. */
  | { readonly kind: "heard"; readonly session: Session }
  | { readonly kind: "loaded"; readonly session: Session; readonly answer: Answer }
  /** The service no longer accepts the cursor, so only a full snapshot will do. */
  | { readonly kind: "cursorExpired"; readonly session: Session }
  | { readonly kind: "loadFailed"; readonly session: Session; readonly cause: Cause }
  /** The connection could not be made, could not join its groups, or ended. */
  | { readonly kind: "lost"; readonly session: Session; readonly cause: Cause }
  /** The time of the last `wake` effect is over. */
  | { readonly kind: "woke" }
  /** Somebody looks at the page, or the network is back: do not wait any longer. */
  | { readonly kind: "retryNow" }
  /** The rows on the page contradict the service. */
  | { readonly kind: "reload" };

export type Effect =
  /** Hold live messages back and connect. */
  | { readonly kind: "open"; readonly session: Session }
  /** Ask the service to send these groups' messages to the connection. A pending answer of the store no longer counts. */
  | { readonly kind: "join"; readonly session: Session; readonly groups: readonly string[] }
  /** Ask it to stop that. */
  | { readonly kind: "leave"; readonly groups: readonly string[] }
  /** Fetch what has changed since the cursor. Without one, hold live messages back and fetch everything. */
  | { readonly kind: "load"; readonly session: Session; readonly since: string | null; readonly following: Following }
  /** Some of what was followed cannot be followed; this is left. */
  | { readonly kind: "followLess"; readonly following: Following }
  /** No answer will come: apply the messages that were held back. */
  | { readonly kind: "release" }
  | { readonly kind: "close"; readonly session: Session }
  /** Send `woke` after this many milliseconds. Replaces an earlier `wake`. */
  | { readonly kind: "wake"; readonly after: number }
  /** Cancel the last `wake`. */
  | { readonly kind: "sleep" };

/** All that a step knows of the outside world. */
export interface Env {
  readonly now: number;
  /** A random number, 0..1. */
  readonly chance: number;
}

export type Step = readonly [LinkState, readonly Effect[]];

export const IDLE: LinkState = {
  phase: { kind: "idle" }, session: 0, failures: 0, everLive: false, downSince: 0,
  following: EVERYTHING, refused: [], notBefore: -Infinity, entered: [], joined: [], settlesAt: null, askedAt: -Infinity, cursor: null, fullAt: -Infinity, cause: null,
};
