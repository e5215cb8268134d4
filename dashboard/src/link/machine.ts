/**
 * The connection as an explicit state machine: an event and a state give the next state and what to do about it. Pure;
 * time and chance are parameters. It never gives up, on the first connection as little as on later ones.
 *
 * One attempt is a *session*: subscribe first, then load the snapshot, then live. Whatever fails ends the session, and
 * the next one starts after a pause. What an older session still reports is ignored.
 */
import { retryDelay } from "./backoff";
import type { Cause } from "./cause";

/** An attempt to be live, counted from 1. */
export type Session = number;

export type Phase =
  | { readonly kind: "idle" }
  /** The SignalR connection is being made. */
  | { readonly kind: "opening" }
  /** Connected; live messages are held back until the snapshot is here. */
  | { readonly kind: "loading" }
  /** `loadedAt`: when the last snapshot came, or failed to. `reloading`: it is being fetched once more, to be sure. */
  | { readonly kind: "live"; readonly since: number; readonly loadedAt: number; readonly reloading: boolean }
  | { readonly kind: "waiting"; readonly retryAt: number };

export interface LinkState {
  readonly phase: Phase;
  readonly session: Session;
  /** Sessions in a row that came to nothing. */
  readonly failures: number;
  readonly everLive: boolean;
  /** Why the last session ended; `null` while live. */
  readonly cause: Cause | null;
}

export type LinkEvent =
  | { readonly kind: "start" }
  | { readonly kind: "opened"; readonly session: Session }
  | { readonly kind: "loaded"; readonly session: Session }
  | { readonly kind: "loadFailed"; readonly session: Session; readonly cause: Cause }
  /** The connection could not be made, or ended. */
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
  /** Hold live messages back and fetch the snapshot. */
  | { readonly kind: "load"; readonly session: Session }
  /** No snapshot will come: let the held messages through. */
  | { readonly kind: "release" }
  | { readonly kind: "close"; readonly session: Session }
  /** Send `woke` after so many milliseconds, instead of any earlier wish. */
  | { readonly kind: "wake"; readonly after: number };

/** Time and chance, as the step may see them. */
export interface Surroundings {
  readonly now: number;
  /** 0..1 */
  readonly chance: number;
}

export type Step = readonly [LinkState, readonly Effect[]];

export const IDLE: LinkState = { phase: { kind: "idle" }, session: 0, failures: 0, everLive: false, cause: null };

/** A cold start of the service takes some seconds; after this one it is taken for stuck. */
export const ATTEMPT_LIMIT = 20_000;
/** A push that was lost is repaired by the next reading of that device, or at the latest by this reload. */
export const RELOAD_EVERY = 300_000;
/** Rows that contradict the service are loaded again no more often than this: it may be the service that is wrong. */
export const RELOAD_AT_MOST_EVERY = 10_000;
/** A connection that breaks sooner counts as a failure more, so that a flapping service is not asked ever faster. */
export const STEADY_AFTER = 10_000;

export function step(state: LinkState, event: LinkEvent, around: Surroundings): Step {
  if ("session" in event && event.session !== state.session) return [state, []];
  switch (event.kind) {
    case "start":
      return state.phase.kind === "idle" ? open(state) : [state, []];
    case "retryNow":
      return state.phase.kind === "waiting" ? open(state) : [state, []];
    case "opened":
      return load(state);
    case "loaded":
      return live(state, around);
    case "loadFailed":
      return state.phase.kind === "live" ? keepLive(state, around) : retry(state, event.cause, around);
    case "lost":
      return retry(state, event.cause, around);
    case "reload":
      return isReloadable(state, around) ? reload(state) : [state, []];
    case "woke":
      return wake(state, around);
  }
}

function open(state: LinkState): Step {
  const session = state.session + 1;
  return [
    { ...state, session, phase: { kind: "opening" } },
    [{ kind: "open", session }, { kind: "wake", after: ATTEMPT_LIMIT }],
  ];
}

function load(state: LinkState): Step {
  if (state.phase.kind !== "opening") return [state, []];
  return [
    { ...state, phase: { kind: "loading" } },
    [{ kind: "load", session: state.session }, { kind: "wake", after: ATTEMPT_LIMIT }],
  ];
}

function live(state: LinkState, { now }: Surroundings): Step {
  const { phase } = state;
  if (phase.kind !== "loading" && phase.kind !== "live") return [state, []];
  const since = phase.kind === "live" ? phase.since : now;
  return [
    { ...state, phase: { kind: "live", since, loadedAt: now, reloading: false }, everLive: true, cause: null },
    [{ kind: "wake", after: RELOAD_EVERY }],
  ];
}

/** The reload failed but the connection is up: stay live, try again at the usual time. */
function keepLive(state: LinkState, { now }: Surroundings): Step {
  if (state.phase.kind !== "live") return [state, []];
  return [
    { ...state, phase: { ...state.phase, loadedAt: now, reloading: false } },
    [{ kind: "release" }, { kind: "wake", after: RELOAD_EVERY }],
  ];
}

function isReloadable({ phase }: LinkState, { now }: Surroundings): boolean {
  return phase.kind === "live" && now - phase.loadedAt >= RELOAD_AT_MOST_EVERY;
}

function reload(state: LinkState): Step {
  if (state.phase.kind !== "live" || state.phase.reloading) return [state, []];
  return [
    { ...state, phase: { ...state.phase, reloading: true } },
    [{ kind: "load", session: state.session }, { kind: "wake", after: ATTEMPT_LIMIT }],
  ];
}

function retry(state: LinkState, cause: Cause, { now, chance }: Surroundings): Step {
  const { phase, session } = state;
  if (phase.kind === "idle" || phase.kind === "waiting") return [state, []];
  const steady = phase.kind === "live" && now - phase.since >= STEADY_AFTER;
  const failures = steady ? 1 : state.failures + 1;
  const after = retryDelay(failures, chance);
  return [
    { ...state, failures, cause, phase: { kind: "waiting", retryAt: now + after } },
    [{ kind: "close", session }, { kind: "release" }, { kind: "wake", after }],
  ];
}

function wake(state: LinkState, around: Surroundings): Step {
  switch (state.phase.kind) {
    case "idle":
      return [state, []];
    case "opening":
      return retry(state, { kind: "overdue", step: "push" }, around);
    case "loading":
      return retry(state, { kind: "overdue", step: "snapshot" }, around);
    case "live":
      return state.phase.reloading ? keepLive(state, around) : reload(state);
    case "waiting":
      return open(state);
  }
}
