import { describe, expect, it } from "vitest";
import type { Row } from "../src/core/fleet";
import { joinPages, readRejectedPage } from "../src/core/rejected";
import { loadRejected, MOST_EMPTY, type Failure } from "../src/link/rejected";
import { describeBacklog, describeElements, describeFailure, describeReason, describeReports } from "../src/view/device-words";
import { validRange, validWords } from "../src/view/measures";
import { damaged, device } from "./device";

const entry = (sequenceNumber: number, more: object = {}) => ({
  deviceId: "d1", reason: "out_of_range", detail: "temperature 99 is above 80", body: '{"temperature":99}', bodyLength: 18,
  partition: "hub-3", sequenceNumber, reading: 0, enqueuedAt: "2026-11-26T10:00:00Z", rejectedAt: "2026-11-26T10:00:01Z", ...more,
});

describe("a page of rejected readings", () => {
  it("is read as it is told", () => {
    const page = readRejectedPage({ rejected: [entry(12)], continuation: "next" });
    expect(page).toEqual({
      continuation: "next",
      readings: [{
        reason: "out_of_range", detail: "temperature 99 is above 80", position: "hub-3 #12",
        body: { kind: "text", text: '{"temperature":99}' },
        enqueuedAt: Date.UTC(2026, 10, 26, 10), rejectedAt: Date.UTC(2026, 10, 26, 10, 0, 1),
        count: null, elements: "", samples: [],
      }],
    });
  });

  it("stands for bodies: how many readings, which ones, and the first of them", () => {
    const samples = [{ index: 0, reason: "out_of_range", detail: "99", text: "{}" }, { index: 7, reason: "calibration", deviceId: "d2" }, 5, {}];
    const [body] = readRejectedPage({ rejected: [entry(1, { count: 5, elements: "0-3,7", samples })] })?.readings ?? [];
    expect(body).toMatchObject({ count: 5, elements: "0-3,7" });
    expect(body?.samples).toEqual([
      { index: 0, reason: "out_of_range", detail: "99", deviceId: "", text: "{}" },
      { index: 7, reason: "calibration", detail: "", deviceId: "d2", text: "" },
      { index: 0, reason: "unknown", detail: "", deviceId: "", text: "" },
    ]);
    const odd = readRejectedPage({ rejected: [entry(1, { count: -1, elements: 7, samples: "x" }), entry(2, { samples: Array.from({ length: 10_000 }, () => ({})) })] })?.readings ?? [];
    expect([odd[0]?.count, odd[0]?.elements, odd[0]?.samples]).toEqual([null, "", []]);
    expect(odd[1]?.samples.length).toBe(20);
  });

  it("may lack what the hub did not say, and hold bytes that are no text", () => {
    const { body: _, ...bytes } = entry(1, { bodyBase64: "/w==", sequenceNumber: null, reading: 2, enqueuedAt: null });
    const [first, second] = readRejectedPage({ rejected: [bytes, {}, 7] })?.readings ?? [];
    expect([first?.body, first?.position, first?.enqueuedAt]).toEqual([{ kind: "bytes", base64: "/w==" }, "hub-3, reading 3", null]);
    expect([second?.reason, second?.body.kind]).toEqual(["unknown", "unknown"]);
  });

  it("is nothing else", () => {
    expect([null, [], "rejected", {}, { rejected: {} }].map(readRejectedPage)).toEqual([null, null, null, null, null]);
  });

  it("keeps entries apart that do not say where they are", () => {
    const nowhere = readRejectedPage({ rejected: [{ reason: "a" }] })!;
    expect(joinPages(nowhere, nowhere).readings).toHaveLength(2);
  });

  it("goes on without listing anything twice", () => {
    const page = (numbers: readonly number[], continuation?: string) => readRejectedPage({ rejected: numbers.map((number) => entry(number)), continuation });
    const joined = joinPages(page([9, 8], "a")!, page([8, 7])!);
    expect([joined.readings.map(({ position }) => position), joined.continuation]).toEqual([["hub-3 #9", "hub-3 #8", "hub-3 #7"], null]);
  });
});

describe("asking for rejected readings", () => {
  const answer = async (reply: () => Promise<Response>) => {
    const asked: string[] = [];
    const fetch = ((input: string) => {
      asked.push(input);
      return reply();
    }) as typeof globalThis.fetch;
    const wanted = { deviceId: "a&b/c", continuation: "x=y" };
    return { asked, answer: await loadRejected({ fetch, base: "http://x/api" }, wanted, new AbortController().signal) };
  };

  it("names the device and where to go on", async () => {
    const { asked, answer: page } = await answer(async () => Response.json({ rejected: [entry(1)] }));
    expect(asked).toEqual(["http://x/api/rejectedtelemetry?deviceId=a%26b%2Fc&limit=20&continuation=x%3Dy"]);
    expect("readings" in page && page.readings.length).toBe(1);
  });

  it("goes on through pages without anything, and asks somebody after many", async () => {
    const asked = async (...replies: object[]) => {
      const urls: string[] = [];
      const fetch = (async (input: string) => {
        urls.push(input);
        return Response.json(replies[urls.length - 1] ?? { rejected: [], continuation: `${urls.length}` });
      }) as typeof globalThis.fetch;
      return { urls, page: await loadRejected({ fetch, base: "http://x/api" }, { deviceId: "d", continuation: null }, new AbortController().signal) };
    };
    const found = await asked({ rejected: [], continuation: "1" }, { rejected: [], continuation: "2" }, { rejected: [entry(1)], continuation: "3" });
    expect(found.urls.map((url) => new URL(url).searchParams.get("continuation"))).toEqual([null, "1", "2"]);
    expect(found.page).toMatchObject({ readings: [{ position: "hub-3 #12".replace("12", "1") }], continuation: "3" });
    const empty = await asked();
    expect([empty.urls.length, empty.page]).toEqual([MOST_EMPTY, { readings: [], continuation: `${MOST_EMPTY}` }]);
    expect((await asked({ rejected: [], continuation: "1" }, { rejected: [], continuation: "1" })).page).toEqual({ kind: "unreadable" });
    expect((await asked({ rejected: [], continuation: "1" }, { rejected: [] })).page).toEqual({ readings: [], continuation: null });
  });

  it("tells what went wrong instead of failing", async () => {
    const outcomes = [
      () => Promise.reject(new TypeError("offline")),
      async () => new Response("{}", { status: 503 }),
      async () => new Response("<html>"),
    ];
    const failures = await Promise.all(outcomes.map(async (reply) => (await answer(reply)).answer));
    expect(failures).toEqual([{ kind: "unreachable" }, { kind: "status", status: 503 }, { kind: "unreadable" }]);
    expect(failures.map((failure) => describeFailure(failure as Failure, "http://x/api"))).toEqual([
      expect.stringMatching(/No answer from http:\/\/x\/api\/rejectedtelemetry/),
      expect.stringMatching(/store.*503.*Try again/),
      expect.stringMatching(/not fieldcast's/),
    ]);
    expect(describeFailure({ kind: "status", status: 404 }, "")).toMatch(/older than this page/);
  });
});

describe("the drawer's words", () => {
  const row = (reportedAt: number | null, changedAt: number | null, interval: number | null): Row => ({
    device: device("a", { reportedAt, changedAt }), interval,
  });
  const said = (shown: Row, now: number): string => describeReports(shown, now, now);

  it("distinguish a sensor whose values stay the same from one that is silent", () => {
    expect(said(row(0, 0, 2_500), 3_000)).toBe("It reports every 2.5 s. The last report is 3 s old.");
    expect(said(row(600_000, 0, 10_000), 600_000)).toBe("It reports every 10 s. Its values have not changed for 10 min.");
    expect(said(row(0, 0, 10_000), 40_000)).toBe("No report for 40 s. It usually reports every 10 s.");
    expect(said(row(0, 0, 10_000), 200_000)).toBe("No report for 3 min. It usually reports every 10 s.");
    expect(said(row(0, 0, 10_000), 7_200_000)).toMatch(/^No report for 2 h, thirty times .* It used to report every 10 s\.$/);
  });

  it("do not claim what is not known", () => {
    expect(said(row(0, 0, null), 1_000)).toMatch(/not known yet.*one report every 5 min/);
    expect(said(row(null, null, null), 0)).toBe("Its reports have no time.");
  });

  it("say what is wrong with a stored state", () => {
    expect(said({ device: damaged("a", "Count holds no number"), interval: null }, 0)).toBe("The service cannot read its stored state: Count holds no number");
    expect(said({ device: device("a", { reportedAt: 0, problem: "Its light cannot be read." }), interval: 2_500 }, 3_000))
      .toBe("It reports every 2.5 s. The last report is 3 s old. Its light cannot be read.");
  });

  it("say that values are older than their report, when they clearly are", () => {
    const hours = 3_600_000;
    const at = (measuredAt: number | null, reportedAt: number | null, now: number): string => describeBacklog({ measuredAt, reportedAt }, now);
    expect(at(0, 6 * hours, 6 * hours + 500)).toBe("Measured 6 h ago, reported now.");
    expect(at(0, 6 * hours, 6 * hours + 120_000)).toBe("Measured 6 h ago, reported 2 min ago.");
    expect([at(0, 59_999, 60_000), at(null, 0, 0), at(0, null, 0), at(9 * hours, 0, hours)]).toEqual(["", "", "", ""]);
    expect(said({ device: device("a", { measuredAt: 0, reportedAt: 6 * hours }), interval: 2_500 }, 6 * hours)).toMatch(/^It reports every 2\.5 s\. .* Measured 6 h ago, reported now\.$/);
  });

  it("say how many readings of a body were rejected", () => {
    const one = { count: null, elements: "", samples: [] };
    expect(describeElements({ ...one, count: 5, elements: "0-3,7" })).toBe("5 readings of this body, counted from 0: 0-3,7");
    expect([describeElements(one), describeElements({ ...one, count: 1 })]).toEqual(["", ""]);
    expect(describeElements({ ...one, count: 1, elements: "4" })).toBe("1 reading of this body, counted from 0: 4");
  });

  it("name reasons, new ones too, and valid ranges", () => {
    expect(["out_of_range", "nothing_known", "calibration", "too_heavy", "constructor"].map(describeReason))
      .toEqual(["Out of range", "Nothing known in it", "Calibration cannot be read", "too_heavy", "constructor"]);
    expect([validWords({ values: ["open", "closed"] }), validWords({ values: [] })]).toEqual(["valid: open, closed", ""]);
    const range = (min: number | null, max: number | null): string => validRange({ min, max, unit: "°C" });
    expect([range(-40, 80), range(null, 0.25), range(0, null), range(null, null)]).toEqual(["valid −40 to 80 °C", "valid up to 0.25 °C", "valid from 0 °C", ""]);
  });
});
