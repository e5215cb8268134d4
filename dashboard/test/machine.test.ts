import { describe, expect, it } from "vitest";
import { EVERYTHING } from "../src/core/following";
import { retryDelay } from "../src/link/backoff";
import { ATTEMPT_LIMIT, FULL_EVERY, GRACE, IDLE, RELOAD_AT_MOST_EVERY, step, type Answer, type Effect, type LinkEvent, type LinkState } from "../src/link/machine";
import { QUIET, quietTime, RELOAD_EVERY } from "../src/link/quiet";
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
const connected = (session: number): LinkEvent => ({ kind: "opened", session });
const joined = (session: number, settlesAfter: number | null = null): LinkEvent => ({ kind: "joined", session, settlesAfter });
const follow = (areas: readonly string[], devices: readonly string[] = []): LinkEvent => ({ kind: "follow", following: { areas, devices } });
const FULL: Answer = { full: true, cursor: "c1", news: false, contradicted: false };
const SAME: Answer = { full: false, cursor: "c2", news: false, contradicted: false };
const NEWS: Answer = { ...SAME, news: true };
const loaded = (session: number, answer: Answer = FULL): LinkEvent => ({ kind: "loaded", session, answer });
const heard = (session: number): LinkEvent => ({ kind: "heard", session });
const cursorExpired = (session: number): LinkEvent => ({ kind: "cursorExpired", session });
const lost = (session: number, cause: Cause = DOWN): LinkEvent => ({ kind: "lost", session, cause });
const loadFailed = (session: number): LinkEvent => ({ kind: "loadFailed", session, cause: DOWN });
const LIVE = [START, connected(1), joined(1), loaded(1)];

describe("the way to live", () => {
  it("subscribes before it asks for the snapshot", () => {
    expect(play([START]).effects).toEqual([{ kind: "open", session: 1 }, { kind: "wake", after: ATTEMPT_LIMIT }]);
    expect(play([START, connected(1)]).effects).toEqual([{ kind: "join", session: 1, groups: ["all"] }, { kind: "wake", after: ATTEMPT_LIMIT }]);
    expect(play([START, connected(1), joined(1)]).effects).toEqual([{ kind: "load", session: 1, since: null, following: EVERYTHING }, { kind: "wake", after: ATTEMPT_LIMIT }]);
    expect(play(LIVE).state.phase).toMatchObject({ kind: "live", since: 0, knownAt: 0, loadedAt: 0, doing: "listening" });
  });

  it("retries a first connection that fails, and every later one, without end", () => {
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
    expect(play([START, connected(1), joined(1), loadFailed(1)]).state).toMatchObject({ phase: { kind: "waiting" }, cause: DOWN });
  });

  it("gives up on an attempt that hangs", () => {
    expect(play([START, WOKE]).state.cause).toEqual({ kind: "overdue", step: "push" });
    expect(play([START, connected(1), WOKE]).state.cause).toEqual({ kind: "overdue", step: "subscribe" });
    expect(play([START, connected(1), joined(1), WOKE]).state.cause).toEqual({ kind: "overdue", step: "snapshot" });
  });

  it("tries at once when somebody asks for it", () => {
    expect(play([START, lost(1), { kind: "retryNow" }]).state.phase.kind).toBe("opening");
    expect(play([...LIVE, { kind: "retryNow" }]).state.phase.kind).toBe("live");
  });

  it("ignores events of an earlier session", () => {
    const again = [START, lost(1), WOKE];
    expect(play([...again, connected(1), joined(1)]).state).toEqual(play(again).state);
    expect(play([...again, connected(2), joined(2), loaded(1)]).state.phase.kind).toBe("loading");
    expect(play([...again, lost(1, CLOSED)]).state.phase.kind).toBe("opening");
  });

  it("counts an end that is reported twice once", () => {
    expect(play([...LIVE, lost(1, CLOSED), lost(1, CLOSED)]).state.failures).toBe(1);
  });
});

describe("being live", () => {
  it("forgets the cause of what went wrong before", () => {
    expect(play([START, lost(1), WOKE, connected(2), joined(2), loaded(2)]).state).toMatchObject({ cause: null, everLive: true });
  });

  it("subscribes and loads again after a connection that ended", () => {
    const { state, effects } = play([...LIVE, [60_000, lost(1, CLOSED)], WOKE]);
    expect(state).toMatchObject({ phase: { kind: "opening" }, session: 2, failures: 1, cause: CLOSED, everLive: true });
    expect(effects[0]).toEqual({ kind: "open", session: 2 });
  });

  it("waits longer and longer when the connection flaps, and forgets that once it was steady", () => {
    const flapping = play([...LIVE, [100, lost(1, CLOSED)], [600, WOKE], [700, connected(2)], [700, joined(2)], [700, loaded(2)], [800, lost(2, CLOSED)]]);
    expect(flapping.state.failures).toBe(2);
    const steady = play([[900, WOKE], [900, connected(3)], [900, joined(3)], [900, loaded(3)], [60_000, lost(3, CLOSED)]], flapping.state);
    expect(steady.state.failures).toBe(1);
  });

  it("loads again when the rows contradict the service, once and not too often", () => {
    const once = play([...LIVE, [60_000, { kind: "reload" }]]);
    expect(once.effects[0]).toEqual({ kind: "load", session: 1, since: null, following: EVERYTHING });
    expect(play([[60_000, { kind: "reload" }]], once.state).effects).toEqual([]);
    const again = [60_000, loaded(1)] as const;
    expect(play([[...again], [60_001, { kind: "reload" }]], once.state).effects).toEqual([]);
    expect(play([[...again], [60_000 + RELOAD_AT_MOST_EVERY, { kind: "reload" }]], once.state).effects).not.toEqual([]);
    expect(play([[60_000, loadFailed(1)], [60_001, { kind: "reload" }]], once.state).effects).toEqual([]);
    expect(play([START, { kind: "reload" }]).effects).toEqual([]);
  });

  it("ends when it is told to, and begins a new session later", () => {
    const stopped = play([...LIVE, { kind: "stop" }]);
    expect(stopped.effects).toEqual([{ kind: "close", session: 1 }, { kind: "release" }, { kind: "sleep" }]);
    expect(play([lost(1, CLOSED), WOKE, heard(1), { kind: "retryNow" }], stopped.state).state).toEqual(stopped.state);
    expect(play([START], stopped.state).state.phase.kind).toBe("opening");
    expect(play([{ kind: "stop" }]).effects).toEqual([]);
  });
});

describe("catching up", () => {
  const again = [...LIVE, [60_000, lost(1, CLOSED)], [60_500, WOKE], [60_600, connected(2)], [60_600, joined(2)]] as const;
  const since = (...more: (LinkEvent | [number, LinkEvent])[]): unknown =>
    play([...again.map((entry) => entry as LinkEvent | [number, LinkEvent]), ...more]).effects.find(({ kind }) => kind === "load");

  it("asks only for what changed since the last answer", () => {
    expect(since()).toEqual({ kind: "load", session: 2, since: "c1", following: EVERYTHING });
    expect(since([60_700, loaded(2, SAME)], [90_000, lost(2, CLOSED)], [91_000, WOKE], [91_100, connected(3)], [91_100, joined(3)])).toMatchObject({ since: "c2" });
  });

  it("keeps its cursor when the answer fails", () => {
    expect(since([60_700, loadFailed(2)], [70_000, WOKE], [70_100, connected(3)], [70_100, joined(3)])).toMatchObject({ since: "c1" });
  });

  it("takes everything when the cursor has expired, and when the answer contradicts the rows", () => {
    expect(since([60_700, cursorExpired(2)])).toEqual({ kind: "load", session: 2, since: null, following: EVERYTHING });
    expect(since([60_700, loaded(2, { ...SAME, contradicted: true })])).toEqual({ kind: "load", session: 2, since: null, following: EVERYTHING });
  });

  it("does not load everything again and again because of a contradiction", () => {
    expect(play([START, connected(1), joined(1), loaded(1, { ...FULL, contradicted: true })]).state.phase.kind).toBe("live");
  });

  it("takes everything from a service without cursors", () => {
    expect(play([START, connected(1), joined(1), loaded(1, { ...FULL, cursor: null }), [60_000, WOKE]]).effects[0]).toMatchObject({ kind: "load", since: null });
  });

  it("takes everything now and then, to learn of devices that were removed", () => {
    expect(play([...LIVE, [FULL_EVERY - 1, WOKE]]).effects[0]).toMatchObject({ kind: "load", since: "c1" });
    expect(play([...LIVE, [FULL_EVERY, WOKE]]).effects[0]).toMatchObject({ kind: "load", since: null });
  });
});

describe("groups that have to settle", () => {
  const SETTLES = 5_000;
  const settling = [START, connected(1), joined(1, SETTLES), [1_000, loaded(1)]] as const;
  const later = (...more: (LinkEvent | [number, LinkEvent])[]): ReturnType<typeof play> => play([...settling.map((entry) => entry as LinkEvent | [number, LinkEvent]), ...more]);

  it("make the link ask the store when they have, however much comes in", () => {
    expect(later().effects).toEqual([{ kind: "wake", after: 4_000 }]);
    const asking = later([4_999, heard(1)], [SETTLES, WOKE]);
    expect(asking.effects[0]).toMatchObject({ kind: "load", since: "c1" });
    expect(play([[5_100, loaded(1, NEWS)]], asking.state).effects).toEqual([{ kind: "wake", after: QUIET }]);
  });

  it("make it ask at once when the first answer took longer", () => {
    expect(play([START, connected(1), joined(1, SETTLES), [9_000, loaded(1)]]).effects).toEqual([{ kind: "wake", after: 0 }]);
  });

  it("do not confirm a silence that was none", () => {
    const { state, effects } = later([SETTLES, WOKE], [5_100, loaded(1, SAME)]);
    expect(effects).toEqual([{ kind: "wake", after: QUIET }]);
    expect(state.phase).toMatchObject({ confirmations: 0 });
  });

  it("are asked about again, a little later, when the answer fails", () => {
    const failed = later([SETTLES, WOKE], [5_100, loadFailed(1)]);
    expect(failed.effects).toEqual([{ kind: "release" }, { kind: "wake", after: QUIET }]);
    expect(play([[20_000, heard(1)], [5_100 + QUIET, WOKE]], failed.state).effects[0]).toMatchObject({ kind: "load", since: "c1" });
  });

  it("are not asked about when the first answer was asked for after they had settled, or when there are none", () => {
    for (const settlesAfter of [0, null]) {
      expect(play([START, connected(1), joined(1, settlesAfter), [1_000, loaded(1)]]).effects).toEqual([{ kind: "wake", after: QUIET }]);
    }
  });

  it("do not make a link deaf that heard nothing meanwhile", () => {
    const slow = play([START, connected(1), joined(1, 40_000), loaded(1), [QUIET, WOKE], [QUIET, loaded(1, NEWS)], [40_000, WOKE], [40_000, loaded(1, NEWS)]]);
    expect(slow.state.phase).toMatchObject({ kind: "live", doing: "listening" });
    expect(play([[40_000 + QUIET, WOKE], [40_000 + QUIET, loaded(1, NEWS)]], slow.state).state.phase).toMatchObject({ doing: "doubting" });
  });

  it("settle no sooner because fewer are followed", () => {
    const narrowed = later([2_000, follow(["a", "b"])], [2_000, joined(1, SETTLES)], [2_100, loaded(1)], [3_000, follow(["a"])], [3_000, joined(1, 0)], [3_100, loaded(1)]);
    expect(narrowed.state.settlesAt).toBe(7_000);
    expect(play([[4_000, lost(1, CLOSED)], [5_000, WOKE]], narrowed.state).state.settlesAt).toBeNull();
  });
});

describe("following something else", () => {
  it("joins the new groups, takes everything, and leaves the old groups", () => {
    const joining = play([...LIVE, [30_000, follow(["a"], ["d"])]]);
    expect(joining.state).toMatchObject({ phase: { kind: "joining" }, downSince: 30_000, following: { areas: ["a"], devices: ["d"] } });
    expect(joining.effects).toEqual([{ kind: "join", session: 1, groups: ["geo:a", "device:d"] }, { kind: "wake", after: ATTEMPT_LIMIT }]);
    const loading = play([[30_100, joined(1)]], joining.state);
    expect(loading.effects[0]).toEqual({ kind: "load", session: 1, since: null, following: { areas: ["a"], devices: ["d"] } });
    expect(play([[30_200, loaded(1)]], loading.state).effects).toEqual([{ kind: "wake", after: QUIET }, { kind: "leave", groups: ["all"] }]);
  });

  it("joins only groups that are not confirmed yet", () => {
    const other = [follow(["a"]), joined(1), loaded(1), follow(["a", "b"])];
    expect(play([...LIVE, ...other]).effects[0]).toEqual({ kind: "join", session: 1, groups: ["geo:b"] });
    expect(play([...LIVE, ...other, follow(["b"])]).effects[0]).toEqual({ kind: "join", session: 1, groups: ["geo:b"] });
    expect(play([...LIVE, ...other, follow(["c"]), joined(1), loaded(1)]).effects.at(-1)).toEqual({ kind: "leave", groups: ["geo:a", "geo:b"] });
    expect(play([...LIVE, ...other, lost(1), WOKE, connected(2)]).effects[0]).toEqual({ kind: "join", session: 2, groups: ["geo:a", "geo:b"] });
  });

  it("begins again with what is followed now, wherever it was", () => {
    for (const before of [[], [START], [START, lost(1)], [START, lost(1), WOKE]]) {
      const { state, effects } = play([...before, follow(["a"])]);
      expect(state.following.areas).toEqual(["a"]);
      expect(effects).toEqual([]);
    }
    for (const before of [[], [joined(1)], [joined(1), loaded(1), [QUIET, WOKE] as [number, LinkEvent]]]) {
      expect(play([START, connected(1), ...before, follow(["a"])]).effects[0]).toEqual({ kind: "join", session: 1, groups: ["geo:a"] });
    }
  });

  it("does not trust a cursor that says nothing about the new devices", () => {
    expect(play([...LIVE, follow(["a"]), lost(1), WOKE, connected(2), joined(2)]).effects[0]).toMatchObject({ kind: "load", since: null });
  });

  it("does nothing when it is the same", () => {
    expect(play([...LIVE, follow([])]).effects).toEqual([]);
    const live = [...LIVE, follow(["a", "b"]), joined(1), loaded(1)];
    expect(play([...live, follow(["b", "a", "b"])]).effects).toEqual([]);
  });

  it("ignores an answer to the old question", () => {
    expect(play([...LIVE, [QUIET, WOKE], follow(["a"]), loaded(1)]).state.phase.kind).toBe("joining");
    expect(play([...LIVE, joined(1)]).state.phase.kind).toBe("live");
  });
});

describe("silence", () => {
  const asking = play([...LIVE, [QUIET, WOKE]]).state;

  it("is trusted for the quiet time only", () => {
    expect(play(LIVE).effects).toEqual([{ kind: "wake", after: QUIET }]);
    expect(play([...LIVE, [QUIET, WOKE]]).effects[0]).toEqual({ kind: "load", session: 1, since: "c1", following: EVERYTHING });
    expect(asking.phase).toMatchObject({ kind: "live", since: 0, doing: "asking" });
  });

  it("starts again with every message, which needs no new timer", () => {
    const { state, effects } = play([...LIVE, [10_000, heard(1)]]);
    expect(effects).toEqual([]);
    expect(play([[QUIET, WOKE]], state).effects).toEqual([{ kind: "wake", after: 10_000 }]);
  });

  it("is trusted longer each time the store confirms it, up to the reload interval", () => {
    let state = asking;
    let now = QUIET;
    const waits: number[] = [];
    for (let answer = 0; answer < 7; answer += 1) {
      const confirmed = play([[now, loaded(1, SAME)]], state);
      waits.push(...confirmed.effects.flatMap((effect) => (effect.kind === "wake" ? [effect.after] : [])));
      now += waits.at(-1) ?? 0;
      ({ state } = play([[now, WOKE]], confirmed.state));
    }
    expect(waits).toEqual([30_000, 60_000, 120_000, 240_000, 300_000, 300_000, 300_000]);
    const talking = play([[QUIET, loaded(1, SAME)], [20_000, heard(1)]], asking);
    expect(talking.effects).toEqual([{ kind: "wake", after: 15_000 }]);
  });

  it("does not make all pages ask at the same moment", () => {
    expect([quietTime(0, 0), quietTime(0, 1), quietTime(3, 0.5), quietTime(99, 0)]).toEqual([QUIET, 22_500, 150_000, RELOAD_EVERY]);
  });

  it("does not matter after the reload interval: the store is asked, because a single message may have been lost", () => {
    const busy = play([...LIVE, [RELOAD_EVERY - 1, heard(1)]]).state;
    expect(play([[RELOAD_EVERY, WOKE]], busy).effects[0]).toMatchObject({ kind: "load", since: "c1" });
  });

  it("leaves the link live when the store does not answer, and asks again a little later", () => {
    for (const end of [loadFailed(1), WOKE]) {
      const { state, effects } = play([[20_000, end]], asking);
      expect(state.phase).toMatchObject({ kind: "live", since: 0, knownAt: 0, doing: "listening" });
      expect(effects).toEqual([{ kind: "release" }, { kind: "wake", after: QUIET }]);
    }
  });

  it("is checked at once when somebody asks for it", () => {
    expect(play([...LIVE, [QUIET, { kind: "retryNow" }]]).effects[0]).toMatchObject({ kind: "load", since: "c1" });
    expect(play([...LIVE, [QUIET - 1, { kind: "retryNow" }]]).effects).toEqual([]);
  });
});

describe("a deaf link", () => {
  const asking = play([...LIVE, [QUIET, WOKE]]).state;
  const doubting = play([[QUIET, loaded(1, NEWS)]], asking);
  const deaf = play([[QUIET + GRACE, WOKE]], doubting.state);

  it("is one that brings nothing within the grace time after the store told news", () => {
    expect(doubting.effects).toEqual([{ kind: "wake", after: GRACE }]);
    expect(doubting.state.phase).toMatchObject({ kind: "live", doing: "doubting" });
    expect(deaf.state).toMatchObject({ phase: { kind: "waiting" }, cause: { kind: "deaf" }, failures: 1 });
    expect(deaf.effects[0]).toEqual({ kind: "close", session: 1 });
  });

  it("is not one whose message comes late, or while the store is asked", () => {
    const late = play([[QUIET + 1, heard(1)]], doubting.state);
    expect(late.state.phase).toMatchObject({ kind: "live", doing: "listening" });
    const meanwhile = play([[QUIET + 1, heard(1)], [QUIET + 2, loaded(1, NEWS)]], asking);
    expect(meanwhile.state.phase).toMatchObject({ kind: "live", doing: "listening" });
  });

  it("stays suspected until a message arrives, or the store has nothing new", () => {
    const next = play([[30_000, WOKE], [30_000, connected(2)], [30_000, joined(2)], [30_000, loaded(2, NEWS)]], deaf.state).state;
    expect(next).toMatchObject({ phase: { kind: "live", doing: "listening" }, cause: { kind: "deaf" } });
    expect(play([[30_001, heard(2)]], next).state.cause).toBeNull();
    expect(play([[50_000, WOKE], [50_000, loaded(2, SAME)]], next).state.cause).toBeNull();
  });

  it("is replaced less and less often, until a message arrives", () => {
    let state = deaf.state;
    for (const session of [2, 3]) {
      const start = session * 100_000;
      ({ state } = play([[start, WOKE], [start, connected(session)], [start, joined(session)], [start, loaded(session, NEWS)], [start + QUIET, WOKE], [start + QUIET, loaded(session, NEWS)], [start + QUIET + GRACE, WOKE]], state));
      expect(state).toMatchObject({ phase: { kind: "waiting" }, failures: session, cause: { kind: "deaf" } });
    }
    const heardOnce = play([[400_000, WOKE], [400_000, connected(4)], [400_000, joined(4)], [400_000, loaded(4, NEWS)], [400_001, heard(4)], [420_000, WOKE], [420_000, loaded(4, NEWS)], [425_000, WOKE]], state);
    expect(heardOnce.state).toMatchObject({ phase: { kind: "waiting" }, failures: 1 });
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

describe("a group that the service refuses", () => {
  const JOINING = [follow(["a", "b"], ["d"]), START, connected(1)];
  const refused = (...groups: string[]): LinkEvent => ({ kind: "refused", session: 1, groups });

  it("is followed no longer, and the others are joined on the same connection", () => {
    const { state, effects } = play([...JOINING, refused("geo:b")]);
    const rest = { areas: ["a"], devices: ["d"] };
    expect(state).toMatchObject({ phase: { kind: "joining" }, session: 1, failures: 0, following: rest, refused: ["geo:b"], cause: null });
    expect(effects.slice(0, 2)).toEqual([{ kind: "followLess", following: rest }, { kind: "join", session: 1, groups: ["geo:a", "device:d"] }]);
    expect(play([joined(1), loaded(1)], state).state).toMatchObject({ phase: { kind: "live" }, refused: ["geo:b"] });
  });

  it("leads to everything when nothing else is followed", () => {
    const { state, effects } = play([follow(["a"]), START, connected(1), refused("geo:a")]);
    expect(state.following).toEqual(EVERYTHING);
    expect(effects).toContainEqual({ kind: "join", session: 1, groups: ["all"] });
  });

  it("is forgotten when somebody follows something else", () => {
    expect(play([...JOINING, refused("geo:b"), follow(["c"])]).state).toMatchObject({ refused: [], following: { areas: ["c"] } });
  });

  it("never keeps a page busy: with nothing to give up it waits as after every failure", () => {
    expect(play([START, connected(1), refused("all")]).state).toMatchObject({ phase: { kind: "waiting" }, failures: 1, cause: { step: "subscribe", status: 400 } });
    let { state } = play([follow(Array.from({ length: 50 }, (_, index) => `${index}`)), START, connected(1)]);
    for (let turn = 0; turn < 200 && state.phase.kind === "joining"; turn += 1) ({ state } = play([refused(`geo:${turn}`)], state));
    expect(state).toMatchObject({ phase: { kind: "waiting" }, following: EVERYTHING });
  });
});

describe("a service that wants to be left alone", () => {
  const busy = (step: "snapshot" | "negotiate" | "subscribe", retryAfter: number): Cause => ({ kind: "status", step, status: 429, retryAfter });
  const LOADING = [START, connected(1), joined(1)];
  const RETRY_NOW: LinkEvent = { kind: "retryNow" };

  it.each([1_000, 8_000, 60_000, 600_000])("is, for %s ms, before the next connection", (rest) => {
    const { state, effects } = play([START, lost(1, busy("negotiate", rest))]);
    expect(effects).toContainEqual({ kind: "wake", after: rest });
    expect(play([[rest - 1, RETRY_NOW]], state).state).toBe(state);
    expect(play([[rest, RETRY_NOW]], state).state.phase.kind).toBe("opening");
  });

  it("is, longer by up to half, so that not all pages come back at once", () => {
    const at = (chance: number): unknown => step(play([START]).state, lost(1, busy("negotiate", 10_000)), { now: 0, chance })[0].phase;
    expect([0, 0.5, 1].map(at)).toEqual([10_000, 12_500, 15_000].map((retryAt) => ({ kind: "waiting", retryAt })));
  });

  it("is asked again on the same connection, while messages are applied", () => {
    const waiting = play([...LOADING, { kind: "loadFailed", session: 1, cause: busy("snapshot", 30_000) }]);
    expect(waiting.state).toMatchObject({ phase: { kind: "loading", retryAt: 30_000 }, session: 1 });
    expect(waiting.effects).toEqual([{ kind: "release" }, { kind: "wake", after: 30_000 }]);
    expect(play([[29_999, RETRY_NOW], [29_999, loaded(1)]], waiting.state).state).toEqual(waiting.state);
    const again = play([[30_000, WOKE]], waiting.state);
    expect(again.effects).toEqual([{ kind: "load", session: 1, since: null, following: EVERYTHING }, { kind: "wake", after: ATTEMPT_LIMIT }]);
    expect(play([[30_100, loaded(1)]], again.state).state).toMatchObject({ phase: { kind: "live" }, cause: null });
    expect(play([[30_100, WOKE]], again.state).state.cause).toEqual({ kind: "overdue", step: "snapshot" });
    expect(play([[40_000, lost(1, CLOSED)]], waiting.state).state.phase.kind).toBe("waiting");
  });

  it("is left alone longer and longer when it goes on", () => {
    let { state } = play(LOADING);
    const pauses: number[] = [];
    for (let turn = 0; turn < 8; turn += 1) {
      const played = play([{ kind: "loadFailed", session: 1, cause: busy("snapshot", 1_000) }], state);
      pauses.push(...played.effects.flatMap((effect) => (effect.kind === "wake" ? [effect.after] : [])));
      ({ state } = play([WOKE], played.state));
    }
    expect(pauses).toEqual([1_000, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it("is not asked by a live page either, nor because somebody looks or follows something else", () => {
    const live = play([...LIVE, [QUIET, WOKE], [QUIET + 1, { kind: "loadFailed", session: 1, cause: busy("snapshot", 120_000) }]]);
    expect(live.state.phase.kind).toBe("live");
    expect(live.effects).toContainEqual({ kind: "wake", after: 120_000 });
    for (const event of [RETRY_NOW, { kind: "reload" }, WOKE] as const) expect(play([[100_000, event]], live.state).effects.filter(({ kind }) => kind === "load")).toEqual([]);
    const other = play([[50_000, follow(["a"])], [50_010, joined(1)]], live.state);
    expect(other.state.phase).toMatchObject({ kind: "loading", retryAt: expect.any(Number) });
    expect(other.effects.some(({ kind }) => kind === "load")).toBe(false);
    const back = play([[50_000, lost(1, CLOSED)], [51_000, WOKE], [51_100, connected(2)], [51_200, joined(2)]], live.state);
    expect(back.state.phase).toMatchObject({ kind: "loading", retryAt: QUIET + 1 + 120_000 });
    expect(play([[QUIET + 1 + 120_000, WOKE]], live.state).effects[0]).toMatchObject({ kind: "load" });
  });

  it("has time for each part of its answer", () => {
    const progressed = (wait: number): LinkEvent => ({ kind: "progressed", session: 1, wait });
    const { state, effects } = play([...LOADING, progressed(0)]);
    expect(effects).toEqual([{ kind: "wake", after: ATTEMPT_LIMIT }]);
    expect(play([progressed(7_000)], state).effects).toEqual([{ kind: "wake", after: ATTEMPT_LIMIT + 7_000 }]);
    expect(play([...LIVE, progressed(0)]).effects).toEqual([]);
  });
});
