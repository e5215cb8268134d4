/**
 * The connection as an explicit state machine: a state and an event give the next state and its effects. Pure; time and
 * random numbers are parameters. It never gives up, neither on the first connection nor on later ones.
 *
 * One attempt is a *session*: connect, join the groups of what is followed, load what the page does not have, then be live.
 * Any failure ends the session, and the next one starts after a pause. Events of an older session are ignored. When
 * something else is followed, the session goes back to joining, and leaves the old groups when it is live again.
 *
 * For some seconds after a group was joined, a process of the service may send nothing to it, because it has just found the
 * group empty. So the store is asked once more when that time is over.
 *
 * While live, silence is not trusted for long: after a quiet time the store is asked what has changed. Its answer may hold
 * changes that should have come as messages. If then no message follows within a grace time, the link is *deaf*, and a new
 * one is made.
 */
import { retryDelay } from "./backoff";
import { EVERYTHING, groupsOf, isSameFollowing, type Following } from "../core/following";
import type { Cause } from "./cause";
import { QUIET, quietTime, RELOAD_EVERY } from "./quiet";

/** The number of an attempt to be live, from 1. */
export type Session = number;

export type Phase =
  | { readonly kind: "idle" }
  /** The SignalR connection is being made. */
  | { readonly kind: "opening" }
  /** Connected; the service is asked to add the connection to the groups of what is followed. */
  | { readonly kind: "joining" }
  /** Live messages are held back until the store has answered. */
  | { readonly kind: "loading" }
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
  following: EVERYTHING, entered: [], joined: [], settlesAt: null, askedAt: -Infinity, cursor: null, fullAt: -Infinity, cause: null,
};

/** How long one request may take. A cold start of the service takes some seconds; after this time it is stuck. */
export const ATTEMPT_LIMIT = 20_000;
/** A catch-up does not tell which devices were removed, so a full snapshot is loaded this often. */
export const FULL_EVERY = 3_600_000;
/** When the rows contradict the service, they are loaded again at most this often: the service may be the one that errs. */
export const RELOAD_AT_MOST_EVERY = 10_000;
/** A connection that breaks sooner than this counts as another failure in a row, so that pauses keep growing. */
export const STEADY_AFTER = 10_000;
/**
 * How long a message may take that tells what the store already has. The handler pushes after it commits and retries
 * briefly, and a message takes well under a second. Counted from the store's answer by the page's own clock, because no
 * time in a device state says when it was committed.
 */
export const GRACE = 5_000;

export function step(state: LinkState, event: LinkEvent, env: Env): Step {
  if ("session" in event && event.session !== state.session) return [state, []];
  switch (event.kind) {
    case "start":
      return state.phase.kind === "idle" ? open({ ...state, downSince: env.now }) : [state, []];
    case "stop":
      return stop(state);
    case "retryNow":
      return retryNow(state, env);
    case "follow":
      return follow(state, event.following, env);
    case "opened":
      return state.phase.kind === "opening" ? join(state) : [state, []];
    case "joined":
      return state.phase.kind === "joining" ? joined(state, event.settlesAfter, env) : [state, []];
    case "heard":
      return state.phase.kind === "live" ? hear(state, state.phase, env) : [state, []];
    case "loaded":
      return answered(state, event.answer, env);
    case "cursorExpired":
      return isAwaiting(state) ? load({ ...state, cursor: null }, env) : [state, []];
    case "loadFailed":
      return state.phase.kind === "live" ? unanswered(state, state.phase, event.cause, env) : retry(state, event.cause, env);
    case "lost":
      return retry(state, event.cause, env);
    case "reload":
      return reload(state, env);
    case "woke":
      return wake(state, env);
  }
}

function open(state: LinkState): Step {
  const session = state.session + 1;
  return [
    { ...state, session, entered: [], joined: [], settlesAt: null, phase: { kind: "opening" } },
    [{ kind: "open", session }, { kind: "wake", after: ATTEMPT_LIMIT }],
  ];
}

/** The next session number makes events of this session stale. */
function stop(state: LinkState): Step {
  const { session } = state;
  if (state.phase.kind === "idle") return [state, []];
  return [{ ...state, session: session + 1, cause: null, phase: { kind: "idle" } }, [{ kind: "close", session }, { kind: "release" }, { kind: "sleep" }]];
}

/** The cursor is of no use for the new devices: nothing is known of them yet. */
function follow(state: LinkState, following: Following, { now }: Env): Step {
  if (isSameFollowing(following, state.following)) return [state, []];
  const next = { ...state, following, cursor: null };
  switch (state.phase.kind) {
    case "idle":
    case "opening":
    case "waiting":
      return [next, []];
    case "joining":
    case "loading":
      return join(next);
    case "live":
      return join({ ...next, downSince: now });
  }
}

function join(state: LinkState): Step {
  const wanted = groupsOf(state.following);
  const groups = wanted.filter((group) => !state.joined.includes(group));
  const entered = [...new Set([...state.entered, ...wanted])];
  return [
    { ...state, entered, phase: { kind: "joining" } },
    [{ kind: "join", session: state.session, groups }, { kind: "wake", after: ATTEMPT_LIMIT }],
  ];
}

function joined(state: LinkState, settlesAfter: number | null, env: Env): Step {
  // Groups that were joined earlier may still be settling.
  const settlesAt = settlesAfter === null ? null : Math.max(env.now + settlesAfter, state.settlesAt ?? -Infinity);
  const groups = [...new Set([...state.joined, ...groupsOf(state.following)])];
  return load({ ...state, joined: groups, settlesAt, phase: { kind: "loading" } }, env);
}

function load(state: LinkState, { now }: Env): Step {
  const { session, following } = state;
  const since = now - state.fullAt >= FULL_EVERY ? null : state.cursor;
  return [{ ...state, askedAt: now }, [{ kind: "load", session, since, following }, { kind: "wake", after: ATTEMPT_LIMIT }]];
}

function isAwaiting({ phase }: LinkState): boolean {
  return phase.kind === "loading" || (phase.kind === "live" && phase.doing === "asking");
}

function answered(state: LinkState, answer: Answer, env: Env): Step {
  const { phase } = state;
  if (!isAwaiting(state)) return [state, []];
  if (answer.contradicted && !answer.full) return load({ ...state, cursor: null }, env);
  const current = { ...state, cursor: answer.cursor, fullAt: answer.full ? env.now : state.fullAt };
  return phase.kind === "live" ? judge(current, phase, answer, env) : live(settled(current), env);
}

/** Once the store was asked after the groups had settled, no further question is due for them. */
function settled(state: LinkState): LinkState {
  return state.settlesAt === null || state.askedAt < state.settlesAt ? state : { ...state, settlesAt: null };
}

function live(state: LinkState, env: Env): Step {
  const { now, chance } = env;
  const quiet = quietTime(0, chance);
  const phase: Live = { kind: "live", since: now, knownAt: now, loadedAt: now, quiet, confirmations: 0, heard: false, doing: "listening" };
  // A new connection that is up may be deaf as well.
  const cause = state.cause?.kind === "deaf" ? state.cause : null;
  const [next, effects] = listen({ ...state, everLive: true, cause }, phase, env);
  const groups = groupsOf(state.following);
  const left = state.entered.filter((group) => !groups.includes(group));
  if (left.length === 0) return [next, effects];
  return [{ ...next, entered: groups, joined: groups }, [...effects, { kind: "leave", groups: left }]];
}

/**
 * Judges the link by the store's answer. A message that came while the store was asked shows that the link works. Silence
 * while the groups were still settling shows nothing.
 */
function judge(state: LinkState, phase: Live, { news }: Answer, env: Env): Step {
  const { now, chance } = env;
  const silence = now - Math.max(phase.knownAt, state.settlesAt ?? -Infinity);
  const known = { ...phase, knownAt: now, loadedAt: now };
  if (news && silence >= QUIET) return [{ ...settled(state), phase: { ...known, doing: "doubting" } }, [{ kind: "wake", after: GRACE }]];
  // When the store was asked because the groups had settled, there was no silence that its answer could confirm.
  const confirmations = news ? 0 : phase.confirmations + (silence >= QUIET ? 1 : 0);
  return listen({ ...settled(state), cause: null }, { ...known, confirmations, quiet: quietTime(confirmations, chance) }, env);
}

/** The store did not answer, but the connection is up: stay live and ask again a little later. */
function unanswered(state: LinkState, phase: Live, cause: Cause, env: Env): Step {
  if (phase.doing !== "asking") return [state, []];
  const settlesAt = state.settlesAt === null ? null : Math.max(state.settlesAt, env.now + QUIET);
  const [next, effects] = listen({ ...state, settlesAt, cause }, { ...phase, loadedAt: env.now }, env);
  return [next, [{ kind: "release" }, ...effects]];
}

/** Does not set a new timer for every message: when the old one fires too early, it is set again. */
function hear(state: LinkState, phase: Live, env: Env): Step {
  const heard = { ...phase, knownAt: env.now, heard: true };
  const hearing = { ...state, cause: null };
  if (phase.doing === "asking" || (phase.doing === "listening" && phase.confirmations === 0)) return [{ ...hearing, phase: heard }, []];
  return listen(hearing, { ...heard, confirmations: 0, quiet: quietTime(0, env.chance) }, env);
}

function listen(state: LinkState, phase: Live, { now }: Env): Step {
  const after = Math.max(0, dueAt(state, phase) - now);
  return [{ ...state, phase: { ...phase, doing: "listening" } }, [{ kind: "wake", after }]];
}

/** When to ask the store next. Not sooner than `QUIET` after its last answer, so that a failing service is spared. */
function dueAt({ settlesAt }: LinkState, { knownAt, loadedAt, quiet }: Live): number {
  return Math.min(Math.max(knownAt + quiet, loadedAt + QUIET), loadedAt + RELOAD_EVERY, settlesAt ?? Infinity);
}

function ask(state: LinkState, phase: Live, env: Env): Step {
  return load({ ...state, phase: { ...phase, doing: "asking" } }, env);
}

function reload(state: LinkState, env: Env): Step {
  const { phase } = state;
  if (phase.kind !== "live" || phase.doing === "asking" || env.now - phase.loadedAt < RELOAD_AT_MOST_EVERY) return [state, []];
  return ask({ ...state, cursor: null }, phase, env);
}

function retryNow(state: LinkState, env: Env): Step {
  const { phase } = state;
  if (phase.kind === "waiting") return open(state);
  const isQuiet = phase.kind === "live" && phase.doing === "listening" && env.now - phase.knownAt >= QUIET;
  return isQuiet ? ask(state, phase, env) : [state, []];
}

function retry(state: LinkState, cause: Cause, { now, chance }: Env): Step {
  const { phase, session } = state;
  if (phase.kind === "idle" || phase.kind === "waiting") return [state, []];
  const steady = phase.kind === "live" && now - phase.since >= STEADY_AFTER && (phase.heard || cause.kind !== "deaf");
  const failures = steady ? 1 : state.failures + 1;
  const after = retryDelay(failures, chance);
  const downSince = phase.kind === "live" ? now : state.downSince;
  return [
    { ...state, failures, cause, downSince, phase: { kind: "waiting", retryAt: now + after } },
    [{ kind: "close", session }, { kind: "release" }, { kind: "wake", after }],
  ];
}

function wake(state: LinkState, env: Env): Step {
  const { phase } = state;
  switch (phase.kind) {
    case "idle":
      return [state, []];
    case "opening":
      return retry(state, { kind: "overdue", step: "push" }, env);
    case "joining":
      return retry(state, { kind: "overdue", step: "subscribe" }, env);
    case "loading":
      return retry(state, { kind: "overdue", step: "snapshot" }, env);
    case "live":
      return wakeLive(state, phase, env);
    case "waiting":
      return open(state);
  }
}

function wakeLive(state: LinkState, phase: Live, env: Env): Step {
  switch (phase.doing) {
    case "listening":
      return env.now < dueAt(state, phase) ? listen(state, phase, env) : ask(state, phase, env);
    case "asking":
      return unanswered(state, phase, { kind: "overdue", step: "snapshot" }, env);
    case "doubting":
      return retry(state, { kind: "deaf" }, env);
  }
}
