import { describe, expect, it } from "vitest";
import { retryDelay } from "../src/link/backoff";
import { ATTEMPT_LIMIT, IDLE, RELOAD_EVERY, step, type Effect, type LinkEvent, type LinkState } from "../src/link/machine";
import type { Cause } from "../src/link/cause";

const DOWN: Cause = { kind: "unreachable", step: "negotiate" };
const CLOSED: Cause = { kind: "closed" };

function play(events: readonly (LinkEvent | [now: number, event: LinkEvent])[], from: LinkState = IDLE): { state: LinkState; effects: readonly Effect[] } {
  let state = from;
  let effects: readonly Effect[] = [];
  for (const entry of events) {
    const [now, event] = Array.isArray(entry) ? entry : [0, entry];
    [state, effects] = step(state, event, { now, chance: 0 });
  }
  return { state, effects };
}

const START: LinkEvent = { kind: "start" };
const WOKE: LinkEvent = { kind: "woke" };
const opened = (session: number): LinkEvent => ({ kind: "opened", session });
const loaded = (session: number): LinkEvent => ({ kind: "loaded", session });
const lost = (session: number, cause: Cause = DOWN): LinkEvent => ({ kind: "lost", session, cause });
const loadFailed = (session: number): LinkEvent => ({ kind: "loadFailed", session, cause: DOWN });
const LIVE = [START, opened(1), loaded(1)];

describe("the way to live", () => {
  it("subscribes before it asks for the snapshot", () => {
    expect(play([START]).effects).toEqual([{ kind: "open", session: 1 }, { kind: "wake", after: ATTEMPT_LIMIT }]);
    expect(play([START, opened(1)]).effects).toEqual([{ kind: "load", session: 1 }, { kind: "wake", after: ATTEMPT_LIMIT }]);
    expect(play(LIVE).state.phase).toEqual({ kind: "live", since: 0, loadedAt: 0, reloading: false });
  });

  it("retries a first connection that fails, and every later one, for ever", () => {
    let { state } = play([START]);
    for (let failure = 1; failure <= 200; failure += 1) {
      ({ state } = play([lost(failure)], state));
      expect(state.phase.kind).toBe("waiting");
      ({ state } = play([WOKE], state));
      expect(state).toMatchObject({ phase: { kind: "opening" }, session: failure + 1, failures: failure });
    }
  });

  it("closes what an attempt opened, lets held messages through and waits", () => {
    expect(play([START, lost(1)]).effects).toEqual([{ kind: "close", session: 1 }, { kind: "release" }, { kind: "wake", after: 500 }]);
  });

  it("starts the whole session again when the snapshot fails", () => {
    expect(play([START, opened(1), loadFailed(1)]).state).toMatchObject({ phase: { kind: "waiting" }, cause: DOWN });
  });

  it("gives up on an attempt that hangs", () => {
    expect(play([START, WOKE]).state.cause).toEqual({ kind: "overdue", step: "push" });
    expect(play([START, opened(1), WOKE]).state.cause).toEqual({ kind: "overdue", step: "snapshot" });
  });

  it("tries at once when somebody asks for it", () => {
    expect(play([START, lost(1), { kind: "retryNow" }]).state.phase.kind).toBe("opening");
    expect(play([...LIVE, { kind: "retryNow" }]).state.phase.kind).toBe("live");
  });

  it("does not listen to an earlier session", () => {
    const again = [START, lost(1), WOKE];
    expect(play([...again, opened(1)]).state).toEqual(play(again).state);
    expect(play([...again, opened(2), loaded(1)]).state.phase.kind).toBe("loading");
    expect(play([...again, lost(1, CLOSED)]).state.phase.kind).toBe("opening");
  });

  it("counts an end that is reported twice once", () => {
    expect(play([...LIVE, lost(1, CLOSED), lost(1, CLOSED)]).state.failures).toBe(1);
  });
});

describe("being live", () => {
  it("forgets the cause of what went wrong before", () => {
    expect(play([START, lost(1), WOKE, opened(2), loaded(2)]).state).toMatchObject({ cause: null, everLive: true });
  });

  it("subscribes and loads anew after a connection that ended", () => {
    const { state, effects } = play([...LIVE, [60_000, lost(1, CLOSED)], WOKE]);
    expect(state).toMatchObject({ phase: { kind: "opening" }, session: 2, failures: 1, cause: CLOSED, everLive: true });
    expect(effects[0]).toEqual({ kind: "open", session: 2 });
  });

  it("waits longer and longer when the connection flaps, and forgets that once it was steady", () => {
    const flapping = play([...LIVE, [100, lost(1, CLOSED)], [600, WOKE], [700, opened(2)], [700, loaded(2)], [800, lost(2, CLOSED)]]);
    expect(flapping.state.failures).toBe(2);
    const steady = play([[900, WOKE], [900, opened(3)], [900, loaded(3)], [60_000, lost(3, CLOSED)]], flapping.state);
    expect(steady.state.failures).toBe(1);
  });

  it("loads the snapshot again now and then, without leaving live", () => {
    expect(play(LIVE).effects).toEqual([{ kind: "wake", after: RELOAD_EVERY }]);
    const { state, effects } = play([...LIVE, WOKE]);
    expect(state.phase).toMatchObject({ kind: "live", since: 0, reloading: true });
    expect(effects[0]).toEqual({ kind: "load", session: 1 });
    expect(play([loaded(1)], state).state.phase).toMatchObject({ kind: "live", since: 0, reloading: false });
  });

  it("stays live when that fails or hangs", () => {
    for (const end of [loadFailed(1), WOKE]) {
      const { state, effects } = play([...LIVE, WOKE, end]);
      expect(state.phase).toMatchObject({ kind: "live", since: 0, reloading: false });
      expect(effects[0]).toEqual({ kind: "release" });
    }
  });

  it("loads once when asked for it several times", () => {
    const once = play([...LIVE, [60_000, { kind: "reload" }]]);
    expect(once.effects[0]).toEqual({ kind: "load", session: 1 });
    expect(play([[60_000, { kind: "reload" }]], once.state).effects).toEqual([]);
    expect(play([[60_000, loaded(1)], [60_001, { kind: "reload" }]], once.state).effects).toEqual([]);
    expect(play([START, { kind: "reload" }]).effects).toEqual([]);
  });
});

describe("the pause between tries", () => {
  it("doubles from half a second to half a minute", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 8, 1000].map((failures) => retryDelay(failures, 0))).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
  });

  it("is shortened by chance to no less than half", () => {
    expect([retryDelay(5, 0.5), retryDelay(5, 1)]).toEqual([6000, 4000]);
  });
});
