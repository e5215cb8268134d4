/**
 * The connection as an explicit state machine: an event and a state give the next state and what to do about it. Pure;
 * time and chance are parameters. It never gives up, on the first connection as little as on later ones.
 *
 * One attempt is a *session*: connect, join the groups of what is followed, then load what the page does not have, then
 * live. Whatever fails ends the session, and the next one starts after a pause. What an older session still reports is
 * ignored. When something else is followed, the session goes back to joining and leaves the old groups when it is live.
 *
 * A process of the service may send nothing to a group for some seconds after it was joined, because it has just found it
 * empty. So the store is asked once more when that time is over.
 *
 * While live, silence is not believed for long: after a quiet time the store is asked what changed. What it then brings
 * should have come as a message; if no message at all follows within a grace time, the link is *deaf* and is made anew.
 */
import { retryDelay } from "./backoff";
import { EVERYTHING, groupsOf, isSameFollowing, type Following } from "../core/following";
import type { Cause } from "./cause";
import { QUIET, quietTime, RELOAD_EVERY } from "./quiet";

/** An attempt to be live, counted from 1. */
export type Session = number;

export type Phase =
  | { readonly kind: "idle" }
  /** The SignalR connection is being made. */
  | { readonly kind: "opening" }
  /** Connected; the service is to confirm the groups of what is followed. */
  | { readonly kind: "joining" }
  /** Live messages are held back until the store has answered. */
  | { readonly kind: "loading" }
  | Live
  | { readonly kind: "waiting"; readonly retryAt: number };

/** Times are the page's. */
export interface Live {
  readonly kind: "live";
  readonly since: number;
  /** When a message or an answer of the store last showed that nothing is missed. */
  readonly knownAt: number;
  /** When the store last answered, or failed to. */
  readonly loadedAt: number;
  /** Nothing heard for so long: ask the store. */
  readonly quiet: number;
  /** Answers in a row that nothing changed. */
  readonly confirmations: number;
  /** A message came in this session. */
  readonly heard: boolean;
  /** `doubting`: the store told news that no message brought; one must come soon. */
  readonly doing: "listening" | "asking" | "doubting";
}

export interface LinkState {
  readonly phase: Phase;
  readonly session: Session;
  /** Sessions in a row that came to nothing. */
  readonly failures: number;
  readonly everLive: boolean;
  /** When the page stopped being live, or was started. */
  readonly downSince: number;
  readonly following: Following;
  /** Groups that this session asked to join and has not left. */
  readonly entered: readonly string[];
  /** Those of them that were confirmed. */
  readonly joined: readonly string[];
  /** From when on every process sends to the groups; `null` once the store was asked after that, and answered. */
  readonly settlesAt: number | null;
  /** When the store was last asked. */
  readonly askedAt: number;
  /** From where the store is asked for changes; `null` when only a full snapshot will do. */
  readonly cursor: string | null;
  /** When the last full snapshot came. */
  readonly fullAt: number;
  /** Why the last session ended, or the store's last answer failed; `null` once that is over. */
  readonly cause: Cause | null;
}

/** What the store's answer was like. */
export interface Answer {
  readonly full: boolean;
  readonly cursor: string | null;
  /** It held states that had not come as messages. */
  readonly news: boolean;
  /** It contradicts the rows on the page: the store is another one, and its cursor says nothing about the old rows. */
  readonly contradicted: boolean;
}

export type LinkEvent =
  | { readonly kind: "start" }
  | { readonly kind: "stop" }
  /** Something else is wanted from now on. */
  | { readonly kind: "follow"; readonly following: Following }
  | { readonly kind: "opened"; readonly session: Session }
  /** All groups are confirmed; every process sends to them after so many milliseconds, or does so anyway (`null`). */
  | { readonly kind: "joined"; readonly session: Session; readonly settlesAfter: number | null }
  /** A live message came. */
  | { readonly kind: "heard"; readonly session: Session }
  | { readonly kind: "loaded"; readonly session: Session; readonly answer: Answer }
  /** The store does not take the cursor, or not any more. */
  | { readonly kind: "refused"; readonly session: Session }
  | { readonly kind: "loadFailed"; readonly session: Session; readonly cause: Cause }
  /** The connection could not be made, could not be put into its groups, or ended. */
  | { readonly kind: "lost"; readonly session: Session; readonly cause: Cause }
  /** The time asked for by the last `wake` effect has come. */
  | { readonly kind: "woke" }
  /** A person, or the browser's network, says that now is a good time. */
  | { readonly kind: "retryNow" }
  /** The rows on the page contradict the service. */
  | { readonly kind: "reload" };

export type Effect =
  /** Hold live messages back and connect. */
  | { readonly kind: "open"; readonly session: Session }
  /** Ask the service to send these groups' messages to the connection. No answer of the store is of use any more. */
  | { readonly kind: "join"; readonly session: Session; readonly groups: readonly string[] }
  /** Ask it no longer to. */
  | { readonly kind: "leave"; readonly groups: readonly string[] }
  /** Fetch what changed since the cursor; without one, hold live messages back and fetch everything. */
  | { readonly kind: "load"; readonly session: Session; readonly since: string | null; readonly following: Following }
  /** No answer will come: let the held messages through. */
  | { readonly kind: "release" }
  | { readonly kind: "close"; readonly session: Session }
  /** Send `woke` after so many milliseconds, instead of any earlier wish. */
  | { readonly kind: "wake"; readonly after: number }
  /** Forget any earlier wish. */
  | { readonly kind: "sleep" };

/** Time and chance, as the step may see them. */
export interface Surroundings {
  readonly now: number;
  /** 0..1 */
  readonly chance: number;
}

export type Step = readonly [LinkState, readonly Effect[]];

export const IDLE: LinkState = {
  phase: { kind: "idle" }, session: 0, failures: 0, everLive: false, downSince: 0,
  following: EVERYTHING, entered: [], joined: [], settlesAt: null, askedAt: -Infinity, cursor: null, fullAt: -Infinity, cause: null,
};

/** A cold start of the service takes some seconds; after this one it is taken for stuck. */
export const ATTEMPT_LIMIT = 20_000;
/** A catch-up does not tell of devices that were removed, so a full snapshot is due now and then. */
export const FULL_EVERY = 3_600_000;
/** Rows that contradict the service are loaded again no more often than this: it may be the service that is wrong. */
export const RELOAD_AT_MOST_EVERY = 10_000;
/** A connection that breaks sooner counts as a failure more, so that a flapping service is not asked ever faster. */
export const STEADY_AFTER = 10_000;
/**
 * The handler pushes after it commits, retries briefly, and a message takes well under a second: what has been in the
 * store for this long, and was followed by no message, will not come. Counted from the store's answer by the page's own
 * clock, because no time in a device state says when it was committed.
 */
export const GRACE = 5_000;

export function step(state: LinkState, event: LinkEvent, around: Surroundings): Step {
  if ("session" in event && event.session !== state.session) return [state, []];
  switch (event.kind) {
    case "start":
      return state.phase.kind === "idle" ? open({ ...state, downSince: around.now }) : [state, []];
    case "stop":
      return stop(state);
    case "retryNow":
      return hurry(state, around);
    case "follow":
      return follow(state, event.following, around);
    case "opened":
      return state.phase.kind === "opening" ? join(state) : [state, []];
    case "joined":
      return state.phase.kind === "joining" ? joined(state, event.settlesAfter, around) : [state, []];
    case "heard":
      return state.phase.kind === "live" ? hear(state, state.phase, around) : [state, []];
    case "loaded":
      return answered(state, event.answer, around);
    case "refused":
      return isAwaiting(state) ? load({ ...state, cursor: null }, around) : [state, []];
    case "loadFailed":
      return state.phase.kind === "live" ? unanswered(state, state.phase, event.cause, around) : retry(state, event.cause, around);
    case "lost":
      return retry(state, event.cause, around);
    case "reload":
      return reload(state, around);
    case "woke":
      return wake(state, around);
  }
}

function open(state: LinkState): Step {
  const session = state.session + 1;
  return [
    { ...state, session, entered: [], joined: [], settlesAt: null, phase: { kind: "opening" } },
    [{ kind: "open", session }, { kind: "wake", after: ATTEMPT_LIMIT }],
  ];
}

/** What the old session still reports is not heard, and a later start begins a new one. */
function stop(state: LinkState): Step {
  const { session } = state;
  if (state.phase.kind === "idle") return [state, []];
  return [{ ...state, session: session + 1, cause: null, phase: { kind: "idle" } }, [{ kind: "close", session }, { kind: "release" }, { kind: "sleep" }]];
}

/** The cursor tells what changed of the devices that were followed; of the others nothing is known. */
function follow(state: LinkState, following: Following, { now }: Surroundings): Step {
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

function joined(state: LinkState, settlesAfter: number | null, around: Surroundings): Step {
  // Groups that were joined before may still be settling.
  const settlesAt = settlesAfter === null ? null : Math.max(around.now + settlesAfter, state.settlesAt ?? -Infinity);
  const groups = [...new Set([...state.joined, ...groupsOf(state.following)])];
  return load({ ...state, joined: groups, settlesAt, phase: { kind: "loading" } }, around);
}

function load(state: LinkState, { now }: Surroundings): Step {
  const { session, following } = state;
  const since = now - state.fullAt >= FULL_EVERY ? null : state.cursor;
  return [{ ...state, askedAt: now }, [{ kind: "load", session, since, following }, { kind: "wake", after: ATTEMPT_LIMIT }]];
}

function isAwaiting({ phase }: LinkState): boolean {
  return phase.kind === "loading" || (phase.kind === "live" && phase.doing === "asking");
}

function answered(state: LinkState, answer: Answer, around: Surroundings): Step {
  const { phase } = state;
  if (!isAwaiting(state)) return [state, []];
  if (answer.contradicted && !answer.full) return load({ ...state, cursor: null }, around);
  const current = { ...state, cursor: answer.cursor, fullAt: answer.full ? around.now : state.fullAt };
  return phase.kind === "live" ? judge(current, phase, answer, around) : live(settled(current), around);
}

/** An answer to a question that was asked before the groups had settled may lack what was not sent to them. */
function settled(state: LinkState): LinkState {
  return state.settlesAt === null || state.askedAt < state.settlesAt ? state : { ...state, settlesAt: null };
}

function live(state: LinkState, around: Surroundings): Step {
  const { now, chance } = around;
  const quiet = quietTime(0, chance);
  const phase: Live = { kind: "live", since: now, knownAt: now, loadedAt: now, quiet, confirmations: 0, heard: false, doing: "listening" };
  // That a new connection is up does not show that it hears.
  const cause = state.cause?.kind === "deaf" ? state.cause : null;
  const [next, effects] = listen({ ...state, everLive: true, cause }, phase, around);
  const groups = groupsOf(state.following);
  const left = state.entered.filter((group) => !groups.includes(group));
  if (left.length === 0) return [next, effects];
  return [{ ...next, entered: groups, joined: groups }, [...effects, { kind: "leave", groups: left }]];
}

/**
 * What the store's answer says about the link. A message that came while it was asked speaks for the link; that none came
 * while the groups had not settled says nothing.
 */
function judge(state: LinkState, phase: Live, { news }: Answer, around: Surroundings): Step {
  const { now, chance } = around;
  const silence = now - Math.max(phase.knownAt, state.settlesAt ?? -Infinity);
  const known = { ...phase, knownAt: now, loadedAt: now };
  if (news && silence >= QUIET) return [{ ...settled(state), phase: { ...known, doing: "doubting" } }, [{ kind: "wake", after: GRACE }]];
  // An answer that was asked for with no silence before it, because the groups had settled, confirms no silence.
  const confirmations = news ? 0 : phase.confirmations + (silence >= QUIET ? 1 : 0);
  return listen({ ...settled(state), cause: null }, { ...known, confirmations, quiet: quietTime(confirmations, chance) }, around);
}

/** The store did not answer but the connection is up: stay live, ask again a little later. */
function unanswered(state: LinkState, phase: Live, cause: Cause, around: Surroundings): Step {
  if (phase.doing !== "asking") return [state, []];
  const settlesAt = state.settlesAt === null ? null : Math.max(state.settlesAt, around.now + QUIET);
  const [next, effects] = listen({ ...state, settlesAt, cause }, { ...phase, loadedAt: around.now }, around);
  return [next, [{ kind: "release" }, ...effects]];
}

/** The wake-up that was asked for stays, and finds out by itself that it came early; messages are too many for one each. */
function hear(state: LinkState, phase: Live, around: Surroundings): Step {
  const heard = { ...phase, knownAt: around.now, heard: true };
  const hearing = { ...state, cause: null };
  if (phase.doing === "asking" || (phase.doing === "listening" && phase.confirmations === 0)) return [{ ...hearing, phase: heard }, []];
  return listen(hearing, { ...heard, confirmations: 0, quiet: quietTime(0, around.chance) }, around);
}

function listen(state: LinkState, phase: Live, { now }: Surroundings): Step {
  const after = Math.max(0, dueAt(state, phase) - now);
  return [{ ...state, phase: { ...phase, doing: "listening" } }, [{ kind: "wake", after }]];
}

/** Never sooner after an answer than the shortest quiet time, so that a failing service is not asked all the time. */
function dueAt({ settlesAt }: LinkState, { knownAt, loadedAt, quiet }: Live): number {
  return Math.min(Math.max(knownAt + quiet, loadedAt + QUIET), loadedAt + RELOAD_EVERY, settlesAt ?? Infinity);
}

function ask(state: LinkState, phase: Live, around: Surroundings): Step {
  return load({ ...state, phase: { ...phase, doing: "asking" } }, around);
}

function reload(state: LinkState, around: Surroundings): Step {
  const { phase } = state;
  if (phase.kind !== "live" || phase.doing === "asking" || around.now - phase.loadedAt < RELOAD_AT_MOST_EVERY) return [state, []];
  return ask({ ...state, cursor: null }, phase, around);
}

function hurry(state: LinkState, around: Surroundings): Step {
  const { phase } = state;
  if (phase.kind === "waiting") return open(state);
  const isQuiet = phase.kind === "live" && phase.doing === "listening" && around.now - phase.knownAt >= QUIET;
  return isQuiet ? ask(state, phase, around) : [state, []];
}

function retry(state: LinkState, cause: Cause, { now, chance }: Surroundings): Step {
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

function wake(state: LinkState, around: Surroundings): Step {
  const { phase } = state;
  switch (phase.kind) {
    case "idle":
      return [state, []];
    case "opening":
      return retry(state, { kind: "overdue", step: "push" }, around);
    case "joining":
      return retry(state, { kind: "overdue", step: "subscribe" }, around);
    case "loading":
      return retry(state, { kind: "overdue", step: "snapshot" }, around);
    case "live":
      return wakeLive(state, phase, around);
    case "waiting":
      return open(state);
  }
}

function wakeLive(state: LinkState, phase: Live, around: Surroundings): Step {
  switch (phase.doing) {
    case "listening":
      return around.now < dueAt(state, phase) ? listen(state, phase, around) : ask(state, phase, around);
    case "asking":
      return unanswered(state, phase, { kind: "overdue", step: "snapshot" }, around);
    case "doubting":
      return retry(state, { kind: "deaf" }, around);
  }
}
