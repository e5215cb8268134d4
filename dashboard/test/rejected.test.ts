import { describe, expect, it } from "vitest";
import type { Row } from "../src/core/fleet";
import { joinPages, readRejectedPage } from "../src/core/rejected";
import { loadRejected, type Failure } from "../src/link/rejected";
import { describeFailure, describeReason, describeReports } from "../src/view/device-words";
import { validRange } from "../src/view/measures";

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
      }],
    });
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
    device: { id: "a", area: "", values: {}, count: 1, version: 1, reportedAt, changedAt }, interval,
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

  it("name reasons, new ones too, and valid ranges", () => {
    expect(["out_of_range", "too_heavy"].map(describeReason)).toEqual(["Out of range", "Too heavy"]);
    const range = (min: number | null, max: number | null): string => validRange({ min, max, unit: "°C" });
    expect([range(-40, 80), range(null, 0.25), range(0, null), range(null, null)]).toEqual(["valid −40 to 80 °C", "valid up to 0.25 °C", "valid from 0 °C", ""]);
  });
});
