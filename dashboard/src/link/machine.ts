/**
 * The connection as an explicit state machine: a state and an event give the next state and its effects. Pure; time and
 * random numbers are parameters. It never gives up, neither on the first connection nor on later ones.
 *
 * One attempt is a *session*: connect, join the groups of what is followed, load what the page does not have, then be live.
 * Any failure ends the session, and the next one starts after a pause. Events of an older session are ignored. When
 * something else is followed, the session goes back to joining, and leaves the old groups when it is live again. What the
 * service refuses to let it follow is given up.
 *
 * For some seconds after a group was joined, a process of the service may send nothing to it, because it has just found the
 * group empty. So the store is asked once more when that time is over.
 *
 * While live, silence is not trusted for long: after a quiet time the store is asked what has changed. Its answer may hold
 * changes that should have come as messages. If then no message follows within a grace time, the link is *deaf*, and a new
 * one is made.
 *
 * When the service asks to be left alone for a while (`Retry-After`), nobody asks it before, not even a person. While it has
 * no time for a question, the connection stays.
 */
import { retryDelay } from "./backoff";
import { groupsOf, isSameFollowing, withoutGroups, type Following } from "../core/following";
import type { Cause } from "./cause";
import { QUIET, quietTime, RELOAD_EVERY } from "./quiet";
import { spread } from "./retry-after";
import type { Answer, Env, LinkEvent, LinkState, Live, Step } from "./states";

export { IDLE, type Answer, type Effect, type LinkEvent, type LinkState, type Live, type Session } from "./states";

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
    case "refused":
      return state.phase.kind === "joining" ? refused(state, event.groups, env) : [state, []];
    case "progressed":
      return [state, isAwaiting(state) ? [{ kind: "wake", after: ATTEMPT_LIMIT + event.wait }] : []];
    case "heard":
      return state.phase.kind === "live" ? hear(state, state.phase, env) : [state, []];
    case "loaded":
      return answered(state, event.answer, env);
    case "cursorExpired":
      return isAwaiting(state) ? load({ ...state, cursor: null }, env) : [state, []];
    case "loadFailed":
      return loadFailed(heeding(state, event.cause, env), event.cause, env);
    case "lost":
      return retry(heeding(state, event.cause, env), event.cause, env);
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
  const next = { ...state, following, refused: [], cursor: null };
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
  const next: LinkState = { ...state, joined: groups, settlesAt, phase: { kind: "loading" } };
  return env.now < state.notBefore ? postponed(next, env) : load(next, env);
}

/** Follows only the rest from now on, which is everything when nothing is left. */
function refused(state: LinkState, groups: readonly string[], env: Env): Step {
  const following = withoutGroups(state.following, groups);
  if (isSameFollowing(following, state.following)) return retry(state, { kind: "status", step: "subscribe", status: 400 }, env);
  const [next, effects] = join({ ...state, following, refused: [...new Set([...state.refused, ...groups])], cursor: null });
  return [next, [{ kind: "followLess", following }, ...effects]];
}

function load(state: LinkState, { now }: Env): Step {
  const { session, following } = state;
  const since = now - state.fullAt >= FULL_EVERY ? null : state.cursor;
  return [{ ...state, askedAt: now }, [{ kind: "load", session, since, following }, { kind: "wake", after: ATTEMPT_LIMIT }]];
}

function isAwaiting({ phase }: LinkState): boolean {
  return (phase.kind === "loading" && phase.retryAt === undefined) || (phase.kind === "live" && phase.doing === "asking");
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

function loadFailed(state: LinkState, cause: Cause, env: Env): Step {
  const { phase } = state;
  if (phase.kind === "live") return unanswered(state, phase, cause, env);
  if (phase.kind !== "loading" || retryAfterOf(cause) === 0) return retry(state, cause, env);
  return postponed({ ...state, cause, failures: state.failures + 1 }, env);
}

/** Asks the store later on the same connection. Until then messages are applied as they come. */
function postponed(state: LinkState, { now, chance }: Env): Step {
  const after = Math.max(state.notBefore - now, retryDelay(state.failures, chance));
  return [{ ...state, phase: { kind: "loading", retryAt: now + after } }, [{ kind: "release" }, { kind: "wake", after }]];
}

/** Notes how long the service wants to be left alone. */
function heeding(state: LinkState, cause: Cause, { now, chance }: Env): LinkState {
  const retryAfter = retryAfterOf(cause);
  return retryAfter === 0 ? state : { ...state, notBefore: Math.max(state.notBefore, now + spread(retryAfter, chance)) };
}

function retryAfterOf(cause: Cause): number {
  return cause.kind === "status" ? (cause.retryAfter ?? 0) : 0;
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
function dueAt({ settlesAt, notBefore }: LinkState, { knownAt, loadedAt, quiet }: Live): number {
  return Math.max(notBefore, Math.min(Math.max(knownAt + quiet, loadedAt + QUIET), loadedAt + RELOAD_EVERY, settlesAt ?? Infinity));
}

function ask(state: LinkState, phase: Live, env: Env): Step {
  return load({ ...state, phase: { ...phase, doing: "asking" } }, env);
}

function reload(state: LinkState, env: Env): Step {
  const { phase } = state;
  if (phase.kind !== "live" || phase.doing === "asking" || env.now < Math.max(phase.loadedAt + RELOAD_AT_MOST_EVERY, state.notBefore)) return [state, []];
  return ask({ ...state, cursor: null }, phase, env);
}

function retryNow(state: LinkState, env: Env): Step {
  const { phase } = state;
  if (env.now < state.notBefore) return [state, []];
  if (phase.kind === "waiting") return open(state);
  const isQuiet = phase.kind === "live" && phase.doing === "listening" && env.now - phase.knownAt >= QUIET;
  return isQuiet ? ask(state, phase, env) : [state, []];
}

function retry(state: LinkState, cause: Cause, { now, chance }: Env): Step {
  const { phase, session } = state;
  if (phase.kind === "idle" || phase.kind === "waiting") return [state, []];
  const steady = phase.kind === "live" && now - phase.since >= STEADY_AFTER && (phase.heard || cause.kind !== "deaf");
  const failures = steady ? 1 : state.failures + 1;
  const rest = retryAfterOf(cause) === 0 ? 0 : state.notBefore - now;
  const after = Math.max(rest, retryDelay(failures, chance));
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
      if (phase.retryAt !== undefined) return load({ ...state, phase: { kind: "loading" } }, env);
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
