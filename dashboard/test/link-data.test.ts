import { describe, expect, it } from "vitest";
import { EVERYTHING, groupsOf, isSameFollowing, withoutGroups, type Following } from "../src/core/following";
import { apiAddress } from "../src/link/base";
import { causeOfConnectError, LinkError } from "../src/link/cause";
import { readRetryAfter } from "../src/link/retry-after";
import { loadSnapshot } from "../src/link/snapshot";
import { joinGroups, leaveGroups } from "../src/link/subscriptions";

describe("the address of the service", () => {
  const at = (address: string, meta: string | null = null): string | null => apiAddress(new URL(address), meta).base;

  it("is the page's own origin", () => {
    expect(at("http://127.0.0.1:7071/")).toBe("http://127.0.0.1:7071/api");
    expect(at("https://a.example/some/folder/index.html?x=1", "")).toBe("https://a.example/api");
  });

  it("is what the page's address or its meta element says, the address first", () => {
    expect(at("https://a.example/", "https://b.example/api")).toBe("https://b.example/api");
    expect(at("https://a.example/?api=http://127.0.0.1:7071/", "https://b.example/api")).toBe("http://127.0.0.1:7071/api");
    expect(at("https://a.example/?api=http://localhost:7071/v2/api/")).toBe("http://localhost:7071/v2/api");
    expect(at("https://a.example/?api=http://[::1]/")).toBe("http://[::1]/api");
    expect(at("https://a.example/?api=/other")).toBe("https://a.example/other");
    expect(at("https://a.example/?api=https://a.example/v2")).toBe("https://a.example/v2");
  });

  it.each([
    "https://c.example/", "https://127.0.0.1.c.example/", "https://localhost.c.example", "https://localhost@c.example/api", "//c.example/api", "https://127.0.0.256x/",
    "https://a.example.c.example", "http://a.example/api", "https://a.example:444/api", "javascript:alert(1)", "file:///etc", "http://", "data:text/html,x", "\\\\c.example\\api",
  ])("is not on another machine because of a link to the page: %s", (address) => {
    const page = new URL(`https://a.example/?api=${encodeURIComponent(address)}`);
    expect(apiAddress(page, null)).toEqual({ base: "https://a.example/api", ignored: address });
    expect(apiAddress(page, "https://b.example/api")).toEqual({ base: "https://b.example/api", ignored: address });
  });

  it.each(["javascript:alert(1)", "file:///etc", "http://", "data:text/html,x"])("is nothing when the publisher says %s", (address) => {
    expect(at("https://a.example/", address)).toBeNull();
  });
});

describe("the cause of a failed connection", () => {
  it.each([
    ["Failed to complete negotiation with the server: Error: Internal Server Error: Status code '500'", { kind: "status", step: "negotiate", status: 500 }],
    ["Failed to complete negotiation with the server: TypeError: Failed to fetch", { kind: "unreachable", step: "negotiate" }],
    ["Failed to complete negotiation with the server: TimeoutError: A timeout occurred.", { kind: "overdue", step: "negotiate" }],
    ["Failed to complete negotiation with the server: SyntaxError: Unexpected token '<'", { kind: "unreadable", step: "negotiate" }],
  ])("is read from: %s", (message, cause) => {
    expect(causeOfConnectError(new Error(message), "negotiate")).toEqual(cause);
  });
});

describe("a service that wants to be left alone", () => {
  const NOW = Date.UTC(2026, 10, 29);

  it.each([
    ["7", 7_000], [" 120 ", 120_000], ["Sun, 29 Nov 2026 00:00:30 GMT", 30_000], ["999999", 600_000],
    ["0", 0], ["-5", 0], ["soon", 0], ["", 0], [null, 0], ["Sun, 29 Nov 2020 00:00:30 GMT", 0],
  ])("says %j", (header, wait) => {
    expect(readRetryAfter(header, NOW)).toBe(wait);
  });

  it("says so to the client that negotiates, too", () => {
    const error = new Error("Failed to complete negotiation with the server: Error: : Status code '429'");
    expect(causeOfConnectError(error, "negotiate", 9_000)).toEqual({ kind: "status", step: "negotiate", status: 429, retryAfter: 9_000 });
    expect(causeOfConnectError(error, "negotiate")).toEqual({ kind: "status", step: "negotiate", status: 429 });
  });
});

describe("loading the snapshot", () => {
  const page = (ids: readonly string[], continuation?: string, cursor?: string): Response =>
    Response.json({ devices: ids.map((deviceId) => ({ deviceId, version: 1 })), measurements: [{ name: "t" }], continuation, cursor }, { headers: { date: "Sat, 21 Nov 2026 03:00:00 GMT" } });

  interface Loading {
    readonly asked: string[];
    /** What was said of the progress. */
    readonly waits: number[];
    readonly result: ReturnType<typeof loadSnapshot>;
  }

  const load = (...replies: Response[]): Loading => catchUp(null, ...replies);

  const catchUp = (since: string | null, ...replies: Response[]): Loading => ask(since, EVERYTHING, ...replies);

  function ask(since: string | null, following: Following, ...replies: Response[]): Loading {
    const asked: string[] = [];
    const fetch = (input: string | URL | Request): Promise<Response> => {
      asked.push(String(input));
      return Promise.resolve(replies.shift() ?? Response.error());
    };
    const waits: number[] = [];
    const source = { fetch, base: "http://x/api", now: () => 5, wait: () => Promise.resolve() };
    return { asked, waits, result: loadSnapshot(source, { since, following }, new AbortController().signal, (wait) => waits.push(wait)) };
  }

  const busy = (seconds = "3"): Response => Response.json({ code: "busy" }, { status: 429, headers: { "retry-after": seconds } });

  it("follows parts without a device, each of which is progress", async () => {
    const { result, waits, asked } = load(...Array.from({ length: 1_000 }, (_, part) => page([], `${part}`)), page(["a"]));
    expect((await result)?.devices).toHaveLength(1);
    expect([asked.length, waits.length]).toEqual([1_001, 1_000]);
  });

  it("ends when a service goes in a circle", async () => {
    const { asked, result } = load(page([], "1"), page([], "2"), page([], "1"), page([], "2"));
    await expect(result).rejects.toMatchObject({ reason: { kind: "unreadable" } });
    expect(asked).toHaveLength(3);
  });

  it("says how long the service wants to be left alone", async () => {
    await expect(load(busy()).result).rejects.toMatchObject({ reason: { kind: "status", status: 429, retryAfter: 3_000 } });
  });

  it("keeps what it has while the service wants a moment of rest, and asks that part again", async () => {
    const { asked, waits, result } = load(page(["a"], "1"), busy(), busy("30"), page(["b"]));
    expect((await result)?.devices.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(waits).toEqual([0, 3_000, 30_000]);
    expect(asked.slice(1)).toEqual(Array.from({ length: 3 }, () => "http://x/api/getdevicestate?continuation=1"));
  });

  it("gives up what it has for a long rest, and when there is no end of it", async () => {
    await expect(load(page(["a"], "1"), busy("31")).result).rejects.toMatchObject({ reason: { retryAfter: 31_000 } });
    const endless = load(page(["a"], "1"), ...Array.from({ length: 100 }, () => busy()));
    await expect(endless.result).rejects.toMatchObject({ reason: { status: 429 } });
    expect(endless.asked).toHaveLength(22);
  });

  it("follows the pages to the last", async () => {
    const { asked, result } = load(page(["a"], "one/two"), page([], "3"), page(["b"]));
    const snapshot = await result;
    expect(snapshot?.devices.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(snapshot?.measurements).toHaveLength(1);
    expect(snapshot).toMatchObject({ full: true, cursor: null });
    expect(snapshot?.clock).toEqual({ date: "Sat, 21 Nov 2026 03:00:00 GMT", sent: 5, received: 5 });
    expect(asked).toEqual(["http://x/api/getdevicestate", "http://x/api/getdevicestate?continuation=one%2Ftwo", "http://x/api/getdevicestate?continuation=3"]);
  });

  it("ends when a service repeats itself, and never takes a part of the devices for all", async () => {
    const { asked, result } = load(page(["a"], "1"), page(["b"], "1"), page(["c"], "1"));
    await expect(result).rejects.toMatchObject({ reason: { kind: "unreadable", step: "snapshot" } });
    expect(asked).toHaveLength(2);
  });

  it("asks for what changed since a cursor, on every page", async () => {
    const { asked, result } = catchUp("c/1", page(["a"], "next", "c/2"), page(["b"], undefined, "c/2"));
    expect(await result).toMatchObject({ full: false, cursor: "c/2", devices: [{ id: "a" }, { id: "b" }] });
    expect(asked).toEqual(["http://x/api/getdevicestate?since=c%2F1", "http://x/api/getdevicestate?since=c%2F1&continuation=next"]);
  });

  it("asks for what is followed, on every page, with commas that survive the host", async () => {
    const { asked, result } = ask("c", { areas: ["Hay, WA", "Æ&b"], devices: ["d 1"] }, page(["a"], "next", "c"), page(["b"]));
    await result;
    const wanted = "geo=Hay%252C%20WA&geo=%C3%86%26b&deviceId=d%201&since=c";
    expect(asked).toEqual([`http://x/api/getdevicestate?${wanted}`, `http://x/api/getdevicestate?${wanted}&continuation=next`]);
  });

  it("learns which devices are elsewhere by now, from every page", async () => {
    const moved = (id: string, continuation?: string): Response =>
      Response.json({ devices: [], cursor: "c2", continuation, elsewhere: [{ deviceId: id, geo: "Perth", version: 12 }, { geo: "?" }] });
    const { result } = ask("c", { areas: ["Sydney"], devices: [] }, moved("d7", "next"), moved("d8"));
    expect((await result)?.elsewhere).toMatchObject([{ id: "d7", area: "Perth", version: 12 }, { id: "d8" }]);
  });

  it("gives nothing when the cursor has expired, on a later page too", async () => {
    const badCursor = (): Response => Response.json({ code: "bad_cursor", error: "take a full snapshot" }, { status: 400 });
    expect(await catchUp("c", badCursor()).result).toBeNull();
    expect(await catchUp("c", page(["a"], "next", "c"), badCursor()).result).toBeNull();
    await expect(load(badCursor()).result).rejects.toMatchObject({ reason: { kind: "status", status: 400 } });
  });

  it("does not take another bad request for an expired cursor", async () => {
    const reply = Response.json({ code: "bad_filter", error: "?" }, { status: 400 });
    await expect(catchUp("c", reply).result).rejects.toMatchObject({ reason: { kind: "status", status: 400 } });
  });

  it("takes an answer without a cursor for that of a service that knows none", async () => {
    expect(await catchUp("c", page(["a"])).result).toBeNull();
  });

  it.each([
    [new Response("no", { status: 503 }), { kind: "status", step: "snapshot", status: 503 }],
    [new Response("<html>"), { kind: "unreadable", step: "snapshot" }],
    [Response.json({ error: "?" }), { kind: "unreadable", step: "snapshot" }],
  ])("fails with its cause (%#)", async (reply, cause) => {
    const error: unknown = await load(reply).result.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(LinkError);
    expect((error as LinkError).reason).toEqual(cause);
  });
});

describe("the groups", () => {
  interface Asking {
    readonly asked: string[];
    readonly result: Promise<number | null>;
  }

  const written = (input: string | URL | Request, { method, headers, body }: RequestInit = {}): string => {
    const type = new Headers(headers).get("content-type");
    return [method, String(input), ...(type === null ? [] : [type]), ...(typeof body === "string" ? [body] : [])].join(" ");
  };

  function join(groups: readonly string[], ...replies: Response[]): Asking {
    const asked: string[] = [];
    const fetch = (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
      asked.push(written(input, init));
      return Promise.resolve(replies.shift() ?? Response.error());
    };
    return { asked, result: joinGroups({ fetch, base: "http://x/api", now: () => 0 }, "id/1=", groups, new AbortController().signal) };
  }

  const confirmed = (settlesAfterSeconds: unknown, group = "all"): Response => Response.json({ group, settlesAfterSeconds });
  const badGroup = (): Response => Response.json({ code: "bad_group", error: "?" }, { status: 400 });
  const NOT_THERE = new Response("<html>", { status: 404 });

  it("are those of what is followed, each once", () => {
    expect(groupsOf(EVERYTHING)).toEqual(["all"]);
    expect(groupsOf({ areas: ["Sydney", "Sydney"], devices: ["d1"] })).toEqual(["geo:Sydney", "device:d1"]);
    expect(isSameFollowing({ areas: ["a", "b"], devices: [] }, { areas: ["b", "a", "a"], devices: [] })).toBe(true);
    expect(isSameFollowing({ areas: ["a"], devices: [] }, { areas: [], devices: ["a"] })).toBe(false);
    expect(isSameFollowing({ areas: ["a"], devices: [] }, EVERYTHING)).toBe(false);
  });

  it("are in the query, where no host cuts them, and settle when the last one has", async () => {
    const { asked, result } = join(["geo:Hay/../WA & ä", "all"], confirmed(5, "geo:Hay/../WA & ä"), confirmed(2.5));
    expect(await result).toBe(5_000);
    const id = "&connectionId=id%2F1%3D";
    expect(asked).toEqual([`PUT http://x/api/subscriptions?group=geo%3AHay%2F..%2FWA%20%26%20%C3%A4${id}`, `PUT http://x/api/subscriptions?group=all${id}`]);
  });

  it.each(["geo:Sydney, CBD", "geo:Sydney,", "geo:N,all", 'geo:Hay, "WA"/ä', "device:a,geo:b"])("are in the body when a query could not tell them from several: %s", async (group) => {
    const { asked, result } = join([group], confirmed(5, group));
    expect(await result).toBe(5_000);
    expect(asked).toEqual([`PUT http://x/api/subscriptions application/json ${JSON.stringify({ group, connectionId: "id/1=" })}`]);
  });

  it.each([["geo:a%2Fb", "geo:a/b"], ["geo:a/b", "geo:a"], ["geo: a", "geo:a"], ["geo:A", "geo:a"]])(
    "are not joined when the answer to %s names %s", async (group, named) => {
      await expect(join([group], confirmed(5, named)).result).rejects.toMatchObject({ reason: { kind: "unreadable", step: "subscribe" } });
    });

  it("that the service refuses are told apart from those that it could not join", async () => {
    await expect(join(["all", "geo:a", "geo:b"], confirmed(5), badGroup(), badGroup()).result).rejects.toMatchObject({ groups: ["geo:a", "geo:b"] });
    await expect(join(["geo:a", "all"], badGroup(), new Response("{}", { status: 503 })).result).rejects.toMatchObject({ reason: { status: 503 } });
    const rest = withoutGroups({ areas: ["a", "b"], devices: ["a"] }, ["geo:a", "device:x"]);
    expect(rest).toEqual({ areas: ["b"], devices: ["a"] });
  });

  it("are not needed when the service has none", async () => {
    expect(await join(["all"], NOT_THERE).result).toBeNull();
    expect(await join(["all"], Response.json({ code: "not_found" }, { status: 404 })).result).toBeNull();
    expect(await join([]).result).toBe(0);
  });

  it.each([
    [Response.json({ code: "unknown_connection", error: "?" }, { status: 404 }), { kind: "status", step: "subscribe", status: 404 }],
    [Response.json({ code: "bad_query", error: "?" }, { status: 400 }), { kind: "status", step: "subscribe", status: 400 }],
    [Response.json({ code: "busy" }, { status: 429, headers: { "retry-after": "4" } }), { kind: "status", step: "subscribe", status: 429, retryAfter: 4_000 }],
    [Response.json({ code: "signalr_unavailable", error: "?" }, { status: 503 }), { kind: "status", step: "subscribe", status: 503 }],
    [confirmed("5"), { kind: "unreadable", step: "subscribe" }],
    [confirmed(-1), { kind: "unreadable", step: "subscribe" }],
    [new Response("<html>"), { kind: "unreadable", step: "subscribe" }],
  ])("that cannot be joined have a cause (%#)", async (reply, cause) => {
    await expect(join(["all", "geo:a"], confirmed(1), reply).result).rejects.toMatchObject({ reason: cause });
  });

  it("are left with best effort", async () => {
    const asked: string[] = [];
    const fetch = (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
      asked.push(written(input, init));
      return asked.length === 1 ? Promise.reject(new TypeError("network")) : Promise.resolve(NOT_THERE);
    };
    await leaveGroups({ fetch, base: "http://x/api", now: () => 0 }, "c1", ["geo:a", "geo:b", "geo:c, d"]);
    const body = '{"group":"geo:c, d","connectionId":"c1"}';
    expect(asked).toEqual([
      "DELETE http://x/api/subscriptions?group=geo%3Aa&connectionId=c1", "DELETE http://x/api/subscriptions?group=geo%3Ab&connectionId=c1", `DELETE http://x/api/subscriptions application/json ${body}`,
    ]);
  });
});
