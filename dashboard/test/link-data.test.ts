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
  const page = (ids: readonly string[], continuation?: string): Response =>
    Response.json({ devices: ids.map((deviceId) => ({ deviceId, version: 1 })), measurements: [{ name: "t" }], continuation }, { headers: { date: "Sat, 21 Nov 2026 03:00:00 GMT" } });

  function load(...replies: Response[]): { asked: string[]; result: ReturnType<typeof loadSnapshot> } {
    const asked: string[] = [];
    const fetch = (input: string | URL | Request): Promise<Response> => {
      asked.push(String(input));
      return Promise.resolve(replies.shift() ?? Response.error());
    };
    return { asked, result: loadSnapshot({ fetch, base: "http://x/api", now: () => 5 }, new AbortController().signal) };
  }

  it("follows the pages to the last", async () => {
    const { asked, result } = load(page(["a"], "one/two"), page([], "3"), page(["b"]));
    const { devices, measurements, clock } = await result;
    expect(devices.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(measurements).toHaveLength(1);
    expect(clock).toEqual({ date: "Sat, 21 Nov 2026 03:00:00 GMT", sent: 5, received: 5 });
    expect(asked).toEqual(["http://x/api/getdevicestate", "http://x/api/getdevicestate?continuation=one%2Ftwo", "http://x/api/getdevicestate?continuation=3"]);
  });

  it("does not turn in circles", async () => {
    const { asked, result } = load(page(["a"], "1"), page(["b"], "1"), page(["c"], "1"));
    await result;
    expect(asked).toHaveLength(2);
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
