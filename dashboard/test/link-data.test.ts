import { describe, expect, it } from "vitest";
import { apiBase } from "../src/link/base";
import { causeOfConnectError, LinkError } from "../src/link/cause";
import { loadSnapshot } from "../src/link/snapshot";

describe("the address of the service", () => {
  const at = (address: string, meta: string | null = null): string | null => apiBase(new URL(address), meta);

  it("is the page's own origin", () => {
    expect(at("http://127.0.0.1:7071/")).toBe("http://127.0.0.1:7071/api");
    expect(at("https://a.example/some/folder/index.html?x=1", "")).toBe("https://a.example/api");
  });

  it("is what the page's address or its meta element says, the address first", () => {
    expect(at("https://a.example/", "https://b.example/api")).toBe("https://b.example/api");
    expect(at("https://a.example/?api=https://c.example/", "https://b.example/api")).toBe("https://c.example/api");
    expect(at("https://a.example/?api=https://c.example/v2/api/")).toBe("https://c.example/v2/api");
    expect(at("https://a.example/?api=/other")).toBe("https://a.example/other");
  });

  it.each(["javascript:alert(1)", "file:///etc", "http://", "data:text/html,x"])("is nothing when it is %s", (address) => {
    expect(at(`https://a.example/?api=${encodeURIComponent(address)}`)).toBeNull();
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

describe("loading the snapshot", () => {
  const page = (ids: readonly string[], continuation?: string, cursor?: string): Response =>
    Response.json({ devices: ids.map((deviceId) => ({ deviceId, version: 1 })), measurements: [{ name: "t" }], continuation, cursor }, { headers: { date: "Sat, 21 Nov 2026 03:00:00 GMT" } });

  interface Loading {
    readonly asked: string[];
    readonly result: ReturnType<typeof loadSnapshot>;
  }

  const load = (...replies: Response[]): Loading => catchUp(null, ...replies);

  function catchUp(since: string | null, ...replies: Response[]): Loading {
    const asked: string[] = [];
    const fetch = (input: string | URL | Request): Promise<Response> => {
      asked.push(String(input));
      return Promise.resolve(replies.shift() ?? Response.error());
    };
    return { asked, result: loadSnapshot({ fetch, base: "http://x/api", now: () => 5 }, since, new AbortController().signal) };
  }

  it("follows the pages to the last", async () => {
    const { asked, result } = load(page(["a"], "one/two"), page([], "3"), page(["b"]));
    const snapshot = await result;
    expect(snapshot?.devices.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(snapshot?.measurements).toHaveLength(1);
    expect(snapshot).toMatchObject({ full: true, cursor: null });
    expect(snapshot?.clock).toEqual({ date: "Sat, 21 Nov 2026 03:00:00 GMT", sent: 5, received: 5 });
    expect(asked).toEqual(["http://x/api/getdevicestate", "http://x/api/getdevicestate?continuation=one%2Ftwo", "http://x/api/getdevicestate?continuation=3"]);
  });

  it("does not turn in circles, nor takes half of the devices for all", async () => {
    const { asked, result } = load(page(["a"], "1"), page(["b"], "1"), page(["c"], "1"));
    await expect(result).rejects.toMatchObject({ reason: { kind: "unreadable", step: "snapshot" } });
    expect(asked).toHaveLength(2);
  });

  it("asks for what changed since a cursor, on every page", async () => {
    const { asked, result } = catchUp("c/1", page(["a"], "next", "c/2"), page(["b"], undefined, "c/2"));
    expect(await result).toMatchObject({ full: false, cursor: "c/2", devices: [{ id: "a" }, { id: "b" }] });
    expect(asked).toEqual(["http://x/api/getdevicestate?since=c%2F1", "http://x/api/getdevicestate?since=c%2F1&continuation=next"]);
  });

  it("gives nothing when the cursor is refused, on a later page too", async () => {
    const refusal = (): Response => Response.json({ code: "bad_cursor", error: "take a full snapshot" }, { status: 400 });
    expect(await catchUp("c", refusal()).result).toBeNull();
    expect(await catchUp("c", page(["a"], "next", "c"), refusal()).result).toBeNull();
    await expect(load(refusal()).result).rejects.toMatchObject({ reason: { kind: "status", status: 400 } });
  });

  it("does not take another bad request for a refused cursor", async () => {
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
