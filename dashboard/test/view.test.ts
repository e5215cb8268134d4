import { describe, expect, it } from "vitest";
import { EMPTY_FLEET, reduceFleet, type Fleet } from "../src/core/fleet";
import { Series } from "../src/core/history";
import { DEFAULT_SORT, type Query } from "../src/core/order";
import type { Cause } from "../src/link/cause";
import { GRACE, IDLE, type Live, type LinkState } from "../src/link/machine";
import { ANSWER_TIME, OFFLINE_AFTER } from "../src/link/status";
import sheet from "../src/style.css?raw";
import { readView, writeView } from "../src/view/address";
import { summaryOf } from "../src/view/announcer";
import { Arrangement } from "../src/view/arrangement";
import { pointsOf, valueAt, type Line } from "../src/view/lines";
import { niceAxis, scale, tickDecimals, timeTicks, valueTicks } from "../src/view/scale";
import { lastValues, SPARK_SAMPLES, sparkPoints } from "../src/view/spark";
import { visibleSlice } from "../src/view/window";
import { describeLink, remarksOf, type ApiAccess } from "../src/view/link-words";
import { device } from "./device";

const HERE: ApiAccess = { base: "http://x/api", foreign: false, network: true, ignored: null };

describe("the words for the link", () => {
  const link = (more: Partial<LinkState>): LinkState => ({ ...IDLE, ...more });
  const live: Live = { kind: "live", since: 0, knownAt: 0, loadedAt: 0, quiet: 15_000, confirmations: 0, heard: false, doing: "listening" };
  const waiting = { kind: "waiting", retryAt: 10_000 } as const;
  const cause: Cause = { kind: "unreachable", step: "negotiate" };

  it("tell the four states apart", () => {
    const name = (more: Partial<LinkState>, now = 0): string => describeLink(link(more), HERE, now).name;
    expect(name({ phase: { kind: "opening" } })).toBe("catching up");
    expect(name({ phase: { kind: "loading" }, everLive: true })).toBe("catching up");
    expect(name({ phase: live })).toBe("live");
    expect(name({ phase: waiting, failures: 1, everLive: true, cause })).toBe("stale");
    expect(name({ phase: waiting, failures: 1, everLive: false, cause })).toBe("catching up");
    expect(name({ phase: waiting, failures: 1, everLive: true, cause }, OFFLINE_AFTER)).toBe("offline");
    expect(name({ phase: { kind: "opening" }, everLive: false }, OFFLINE_AFTER)).toBe("offline");
    expect(name({})).toBe("offline");
  });

  it("do not call a page live that has heard nothing for too long, for instance after the machine slept", () => {
    const at = (now: number): string => describeLink(link({ phase: live }), HERE, now).name;
    expect([live.quiet, live.quiet + ANSWER_TIME, live.quiet + ANSWER_TIME + 1, 3_600_000].map(at)).toEqual(["live", "live", "stale", "stale"]);
    expect(describeLink(link({ phase: live }), HERE, 3_600_000).detail).toMatch(/nothing heard/);
  });

  it("say that the link was deaf until a message arrives", () => {
    const deaf = describeLink(link({ phase: live, cause: { kind: "deaf" } }), HERE, GRACE);
    expect([deaf.name, deaf.problem?.what]).toEqual(["live", "Connected to the SignalR service, but changes do not arrive through it."]);
  });

  it("do not alarm for one answer that failed while messages come in", () => {
    expect(describeLink(link({ phase: live, cause }), HERE, 0).problem).toBeNull();
    expect(describeLink(link({ phase: live, cause }), HERE, 60_000).problem?.what).toMatch(/No answer/);
  });

  it("count down to the next try, never to zero", () => {
    const detail = (now: number): string => describeLink(link({ phase: waiting, failures: 1, cause }), HERE, now).detail;
    expect([0, 9_001, 9_999, 11_000].map(detail)).toEqual(["next try in 10 s", "next try in 1 s", "next try in 1 s", "next try in 1 s"]);
  });

  it("say that the service wants to be left alone, and for how long", () => {
    const busy: Cause = { kind: "status", step: "snapshot", status: 429, retryAfter: 8_000 };
    const words = (phase: LinkState["phase"], now: number): string => {
      const { name, detail, problem } = describeLink(link({ phase, cause: busy, notBefore: 8_000 }), HERE, now);
      return `${name}: ${detail}. ${problem?.what}`;
    };
    expect(words({ kind: "loading", retryAt: 10_000 }, 0)).toMatch(/^catching up: the service is busy · next try in 10 s\. Status 429 from/);
    expect(words({ kind: "waiting", retryAt: 10_000 }, 0)).toMatch(/the service is busy · next try in 10 s/);
    expect(words({ kind: "waiting", retryAt: 10_000 }, 9_000)).toMatch(/: next try in 1 s/);
  });

  it("remark on what somebody asked for and did not get", () => {
    const followed = { areas: ["Hay"], devices: [] };
    expect(remarksOf({ refused: [], following: followed }, HERE)).toEqual([]);
    expect(remarksOf({ refused: ["geo:x:y"], following: followed }, HERE)).toEqual(["The service does not accept the name “x:y”, so it is not followed."]);
    expect(remarksOf({ refused: ["geo:a".padEnd(500, "b"), "device:c", "geo:d", "geo:e"], following: { areas: [], devices: [] } }, HERE)[0])
      .toMatch(/^The service does not accept the name “ab{79}…”, “c”, “d” and 1 more, so .* All areas are followed\.$/);
    expect(remarksOf({ refused: [], following: followed }, { ignored: "https://elsewhere.example/api" })[0]).toMatch(/no data from https:\/\/elsewhere\.example\/api/);
  });

  it("say what is wrong and what to do", () => {
    const problem = (broken: Cause, access: Partial<ApiAccess> = {}): string => {
      const words = describeLink(link({ phase: waiting, failures: 2, cause: broken }), { ...HERE, ...access }, 0).problem;
      return `${words?.what} ${words?.advice}`;
    };
    expect(problem(cause)).toMatch(/No answer from http:\/\/x\/api\/negotiate\. .*cargo dev up/);
    expect(problem(cause, { foreign: true })).toMatch(/CORS/);
    expect(problem(cause, { network: false })).toMatch(/no network/);
    expect(problem({ kind: "status", step: "snapshot", status: 404 })).toMatch(/Status 404 from http:\/\/x\/api\/getdevicestate.*\?api=/);
    expect(problem({ kind: "status", step: "push", status: 401 })).toMatch(/SignalR service.*connection string/);
    expect(problem({ kind: "address" })).toMatch(/not an http/);
  });

  it("do not alarm for a connection that ended a moment ago", () => {
    const words = describeLink(link({ phase: waiting, failures: 1, everLive: true, cause: { kind: "closed" } }), HERE, 9_500);
    expect([words.problem, words.detail]).toEqual([null, "connection ended · next try in 1 s"]);
  });

  it("are summed up for screen readers", () => {
    expect(summaryOf({ link: describeLink(link({ phase: live }), HERE, 0), fleet: EMPTY_FLEET, census: { live: 4, late: 2, stale: 0, lost: 1, damaged: 3, unknown: 0, steady: 1 } })).toBe("Link live, 0 devices, 2 late, 1 lost, 3 damaged.");
  });
});

describe("a sparkline", () => {
  it("fills from the right and keeps its pace", () => {
    const points = sparkPoints([1, 2], 86, 10);
    expect(points).toEqual([[84, 10], [86, 0]]);
  });

  it("draws no more samples than fit", () => {
    const points = sparkPoints(Array.from({ length: 500 }, (_, index) => index), 86, 10);
    expect([points.length, points[0]?.[0], points.at(-1)?.[1]]).toEqual([SPARK_SAMPLES, 0, 0]);
  });

  it("lies in the middle when nothing changes, and leaves holes out", () => {
    expect(sparkPoints([5, NaN, 5], 86, 10).map(([, y]) => y)).toEqual([5, 5]);
    expect(sparkPoints([], 86, 10)).toEqual([]);
  });

  it("ends where it is told to", () => {
    const series = new Series();
    for (let time = 1; time <= 100; time += 1) series.push(time, { t: time }, 200);
    expect(lastValues(series, "t", 79).at(-1)).toBe(80);
    expect(lastValues(series, "t", 79)).toHaveLength(SPARK_SAMPLES);
    expect(lastValues(undefined, "t", -1)).toEqual([]);
  });
});

describe("the rows in the document", () => {
  const view = { height: 560, rowHeight: 28 };

  it("are those in sight and a few more", () => {
    expect(visibleSlice(10_000, { ...view, scrollTop: 0 })).toEqual({ from: 0, to: 26 });
    const { from, to } = visibleSlice(10_000, { ...view, scrollTop: 28_000 });
    expect([from <= 1000, to >= 1020, to - from < 50]).toEqual([true, true, true]);
  });

  it("stay within a list that became shorter than the scroll position", () => {
    expect(visibleSlice(5, { ...view, scrollTop: 99_999 })).toEqual({ from: 0, to: 5 });
    expect(visibleSlice(0, { ...view, scrollTop: 0 })).toEqual({ from: 0, to: 0 });
  });
});

describe("the chart", () => {
  const series = new Series();
  for (const [time, value] of [[0, 1], [10, 2], [100, 3], [110, NaN], [120, 4]] as const) series.push(time, { t: value }, 100);
  const line: Line = { id: "a", place: 0, series, longestPause: 50 };

  it("has gaps where the device was silent", () => {
    expect(pointsOf(line, "t", { low: 0, high: Infinity }).map(({ time, apart }) => [time, apart])).toEqual([[0, true], [10, false], [100, true], [120, false]]);
  });

  it("enters from the left edge and ends where it is told to", () => {
    expect(pointsOf(line, "t", { low: 50, high: 115 }).map(({ time }) => time)).toEqual([10, 100]);
  });

  it("has a value for each moment but not across a gap", () => {
    expect([-1, 5, 55, 61, 100].map((time) => valueAt(line, "t", time))).toEqual([null, 1, 2, null, 3]);
  });

  it("has an axis of whole steps around the values", () => {
    const axis = niceAxis(19.8, 26.5, 4);
    expect(valueTicks(axis)).toEqual([18, 20, 22, 24, 26, 28]);
    expect(tickDecimals(axis.step)).toBe(0);
    expect(tickDecimals(niceAxis(20.01, 20.05, 4).step)).toBe(2);
    const flat = niceAxis(0, 0, 4);
    expect([flat.low < 0, flat.high > 0]).toEqual([true, true]);
  });

  it("maps values to pixels, upside down where wanted", () => {
    expect(scale({ low: 0, high: 10 }, 100, 0)(2.5)).toBe(75);
    expect(scale({ low: 3, high: 3 }, 0, 10)(3)).toBe(0);
  });

  it("has few time ticks, on whole seconds or minutes", () => {
    expect(timeTicks({ low: 1_500, high: 31_500 }, 4)).toEqual([10_000, 20_000, 30_000]);
    expect(timeTicks({ low: 0, high: 1_800_000 }, 5)).toEqual([0, 600_000, 1_200_000, 1_800_000]);
  });
});

describe("the order of the table", () => {
  const fleet = (...pairs: readonly (readonly [string, number])[]): Fleet => reduceFleet(EMPTY_FLEET, {
    kind: "messages", malformed: 0, at: 0,
    devices: pairs.map(([id, t], index) => device(id, { values: { t }, version: index + 1, reportedAt: 0 })),
  });
  const byValue: Query = { text: "", show: "all", sort: { key: "value:t", direction: "ascending" } };
  const before = fleet(["a", 1], ["b", 2]);
  const after: Fleet = { ...fleet(["a", 9], ["b", 2]), slots: before.slots };

  it("does not change while somebody reads", () => {
    const arrangement = new Arrangement();
    expect(arrangement.listed(before, byValue, 0, false)).toEqual(["a", "b"]);
    expect(arrangement.listed(after, byValue, 60_000, true)).toEqual(["a", "b"]);
    expect(arrangement.listed(after, byValue, 60_000, false)).toEqual(["b", "a"]);
  });

  it("follows moving values now and then only", () => {
    const arrangement = new Arrangement();
    arrangement.listed(before, byValue, 0, false);
    expect(arrangement.listed(after, byValue, 1_000, false)).toEqual(["a", "b"]);
    expect(arrangement.listed(after, byValue, 2_000, false)).toEqual(["b", "a"]);
  });

  it("adds new devices a few times a second, not with every frame", () => {
    const arrangement = new Arrangement();
    arrangement.listed(fleet(["a", 1]), byValue, 0, false);
    const more = fleet(["a", 1], ["b", 2]);
    expect([100, 249, 250].map((now) => arrangement.listed(more, byValue, now, false).length)).toEqual([1, 1, 2]);
    const most = fleet(["a", 1], ["b", 2], ["0", 0]);
    expect([499, 500].map((now) => arrangement.listed(most, byValue, now, true))).toEqual([["a", "b"], ["a", "b", "0"]]);
  });

  it("changes at once when somebody asks for another one, and takes in new devices", () => {
    const arrangement = new Arrangement();
    arrangement.listed(before, byValue, 0, true);
    expect(arrangement.listed(before, { ...byValue, sort: { key: "value:t", direction: "descending" } }, 1, true)).toEqual(["b", "a"]);
    expect(arrangement.listed(fleet(["a", 1], ["b", 2], ["c", 9]), byValue, 1_000, false)).toEqual(["a", "b", "c"]);
  });
});

describe("the view in the page's address", () => {
  it("comes back as it was written", () => {
    const view = {
      query: { text: "north & south", show: "steady", sort: { key: "value:temperature", direction: "descending" } },
      measurement: "pressure", selected: ["a,b", "c d", "tc-1||thermostat2"], areas: ["North, East", "Perth"], device: "edge|a%7Cb|",
    } as const;
    expect(readView(writeView(view))).toEqual(view);
  });

  it("is nothing when nothing was chosen, and survives nonsense", () => {
    const plain = { query: { text: "", show: "all", sort: DEFAULT_SORT }, measurement: null, selected: null, areas: [], device: null } as const;
    expect(writeView(plain)).toBe("");
    const blank = readView(`#area=%20&area=${"x".repeat(2_001)}&area=Hay&area=a%0Ab&${Array.from({ length: 500 }, (_, index) => `area=${index}`).join("&")}`);
    expect([blank.areas.length, blank.areas[0]]).toEqual([200, "Hay"]);
    expect(readView("#sort=-sideways&show=everything&area=&device=&%%%")).toEqual(plain);
  });
});

describe("the colours", () => {
  function colorsOf(name: string): readonly string[] {
    return new RegExp(`--${name}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(sheet)?.slice(1) ?? [];
  }

  /** As WCAG 2 defines it. */
  function luminance(color: string): number {
    const [red, green, blue] = [1, 3, 5].map((start) => {
      const part = parseInt(color.slice(start, start + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * (red ?? NaN) + 0.7152 * (green ?? NaN) + 0.0722 * (blue ?? NaN);
  }

  function contrast(name: string, ground: string): readonly number[] {
    const grounds = colorsOf(ground).map(luminance);
    return colorsOf(name).map(luminance).map((shade, scheme) => {
      const [dark, light] = [shade, grounds[scheme] ?? NaN].sort((one, other) => one - other);
      return ((light ?? NaN) + 0.05) / ((dark ?? NaN) + 0.05);
    });
  }

  // A test in the browser sees only the states that its devices are in.
  it.each(["ink", "muted", "faint", "accent", "amber", "red"])("can be read where they are text: %s", (name) => {
    for (const ratio of ["paper", "raised", "hover"].flatMap((ground) => contrast(name, ground))) expect(ratio).toBeGreaterThanOrEqual(4.5);
  });

  it.each(["control", "series-0", "series-1", "series-2", "series-3", "series-4", "series-5"])("can be seen where they are shapes: %s", (name) => {
    for (const ratio of ["paper", "raised"].flatMap((ground) => contrast(name, ground))) expect(ratio).toBeGreaterThanOrEqual(3);
  });
});
