import { describe, expect, it } from "vitest";
import { LineReader } from "../../local/simulation/screens-engine/lines.mjs";
import { Server } from "../../local/simulation/screens-engine/server.mjs";
import { LinkError, Replica } from "../src/convergence";
import { World, type Json, type Protection } from "./screens-world";

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);

function server(): Server {
  return new Server({ Replica, LinkError });
}

/** Commands and answers as objects. */
class Conversation {
  private readonly server = server();
  readonly answer = async (command: Json): Promise<unknown> => JSON.parse(await this.server.answer(JSON.stringify(command)));
}

describe("the simulation's screens", () => {
  it.each(SEEDS)("show in the end what is stored, and break no promise on the way (seed %i)", async (seed) => {
    const world = new World(server(), seed);
    await world.run();
    expect(world.isConverged).toBe(true);
    expect(world.violations).toEqual([]);
    for (const screen of [0, 1, 2]) {
      const { shown, stored } = await world.compare(screen);
      expect(shown).toEqual(stored);
    }
  });

  it("tell what is asked of them and what they do", async () => {
    const { answer } = new Conversation();
    const following = { areas: ["north"], devices: [] };
    await answer({ do: "begin", now: 1_000, screens: [{ following, seed: 7 }] });
    expect(await answer({ do: "start", now: 1_000, screen: 0 })).toEqual({
      requests: [{ do: "start", screen: 0, connection: 0 }],
      wakeAt: 21_000,
      screens: [{ screen: 0, status: "catching up", loaded: null, connection: null }],
    });
    const headers = { accept: "application/json" };
    const path = "/api/subscriptions?group=geo%3Anorth&connectionId=c";
    expect(await answer({ do: "started", now: 1_100, connection: 0, connectionId: "c" })).toEqual({
      requests: [{ do: "fetch", screen: 0, request: 0, method: "PUT", path, headers }],
      wakeAt: 21_100,
      screens: [{ screen: 0, status: "catching up", loaded: null, connection: 0 }],
    });
    expect(await answer({ do: "fetched", now: 1_200, request: 0, status: 200, body: '{"group":"geo:north","settlesAfterSeconds":10}' })).toMatchObject({
      requests: [{ do: "fetch", screen: 0, request: 1, method: "GET", path: "/api/getdevicestate?geo=north", headers }],
    });
    const state = { deviceId: "a", temperature: 0.5, light: null, geo: "north", count: 2, version: 2, reportedAt: "2026-11-21T00:00:00.000Z", changedAt: null };
    const body = JSON.stringify({ devices: [state], measurements: [], cursor: "x" });
    expect(await answer({ do: "fetched", now: 1_300, request: 1, status: 200, body })).toEqual({
      requests: [],
      wakeAt: 11_200,
      screens: [{ screen: 0, status: "live", loaded: 1_200, connection: 0 }],
    });
    const message = { do: "message", connection: 0, target: "newMessage", arguments: [[{ ...state, count: 3 }]] };
    expect(await answer({ ...message, now: 1_400 })).toMatchObject({ violations: [{ screen: 0, promise: "one version is one state" }] });
    const { temperature, light, ...rest } = state;
    expect(await answer({ do: "show", now: 1_400, screen: 0 })).toEqual({
      requests: [],
      wakeAt: 11_200,
      shown: { status: "live", phase: "live", following, contradictions: 0, devices: [{ ...rest, values: { temperature } }] },
    });
  });

  it("tell the body of what is asked, if there is one", async () => {
    const { answer } = new Conversation();
    await answer({ do: "begin", now: 0, screens: [{ following: { areas: ["N,all"], devices: [] }, seed: 7 }] });
    await answer({ do: "start", now: 0, screen: 0 });
    const headers = { accept: "application/json", "content-type": "application/json" };
    const body = '{"group":"geo:N,all","connectionId":"c"}';
    expect(await answer({ do: "started", now: 1, connection: 0, connectionId: "c" })).toMatchObject({
      requests: [{ do: "fetch", screen: 0, request: 0, method: "PUT", path: "/api/subscriptions", headers, body }],
    });
  });

  it("abort what they wait for no longer, and ignore its answer", async () => {
    const { answer } = new Conversation();
    await answer({ do: "begin", now: 0, screens: [{ following: { areas: [], devices: [] }, seed: 7 }] });
    await answer({ do: "start", now: 0, screen: 0 });
    await answer({ do: "started", now: 1, connection: 0, connectionId: "c" });
    expect(await answer({ do: "advance", now: 20_001 })).toMatchObject({
      requests: [{ do: "abort", screen: 0, request: 0 }, { do: "end", screen: 0, connection: 0 }],
    });
    const nothing = { requests: [], wakeAt: expect.any(Number) };
    expect(await answer({ do: "fetched", now: 20_002, request: 0, status: 200, body: "{}" })).toEqual(nothing);
    expect(await answer({ do: "closed", now: 20_002, connection: 0 })).toEqual(nothing);
    expect(await answer({ do: "message", now: 20_002, connection: 0, target: "newMessage", arguments: [[]] })).toEqual(nothing);
  });

  it.each([
    [{ do: "dance", now: 10 }, '"dance" is no command'],
    [{ do: "start", now: 10, screen: 1 }, "there is no screen 1"],
    [{ do: "closed", now: 10, connection: 0 }, "there is no connection 0"],
    [{ do: "fetchFailed", now: 10, request: 0 }, "there is no request 0"],
    [{ do: "advance", now: 9 }, "time goes back from 10 to 9"],
    [{ do: "advance" }, "time goes back from 10 to undefined"],
  ])("say what is wrong with %j", async (command, error) => {
    const { answer } = new Conversation();
    await answer({ do: "begin", now: 10, screens: [{ following: { areas: [], devices: [] }, seed: 7 }] });
    expect(await answer(command)).toEqual({ error: expect.stringContaining(error) });
  });

  it("answer the same commands with the same lines, also as the second run of a process", async () => {
    const used = server();
    const other = new World(used, 3);
    await other.run();
    for (const seed of [1, 2]) {
      const world = new World(server(), seed);
      await world.run();
      for (const { line, answer } of world.transcript) expect(await used.answer(line)).toBe(answer);
    }
  });

  const PROTECTIONS: readonly Protection[] = ["ScreenVersion", "CatchUp", "Elsewhere"];
  it.each(PROTECTIONS)("are wrong without %s, and come to rest all the same", async (protection) => {
    let wrong = 0;
    for (const seed of SEEDS) {
      const world = new World(server(), seed, protection);
      await world.run();
      expect(world.isConverged).toBe(true);
      const screens = await Promise.all([0, 1, 2].map((screen) => world.compare(screen)));
      if (world.violations.length > 0 || screens.some(({ shown, stored }) => JSON.stringify(shown) !== JSON.stringify(stored))) wrong += 1;
    }
    expect(wrong).toBeGreaterThan(SEEDS.length / 4);
  });
});

describe("lines of the engine", () => {
  it("come whole, however they are cut on their way", () => {
    const bytes = new TextEncoder().encode('{"a":"zürich"}\n\n{"b":"☂"}\n{"no end');
    for (const size of [1, 2, 3, 7, 100]) {
      let at = 0;
      const reader = new LineReader((chunk) => {
        const part = bytes.subarray(at, at + size);
        chunk.set(part);
        at += part.length;
        return part.length;
      });
      expect([reader.next(), reader.next(), reader.next(), reader.next()]).toEqual(['{"a":"zürich"}', "", '{"b":"☂"}', null]);
    }
  });
});
