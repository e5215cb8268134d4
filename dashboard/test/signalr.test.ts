import { afterEach, describe, expect, it, vi } from "vitest";
import { NotedRequests, signalrConnection } from "../src/link/signalr";

const BASE = "http://fieldcast.test/api";

afterEach(() => void vi.unstubAllGlobals());

/** The network: `negotiate` has this answer. */
function answering(answer: () => Promise<Response>): { readonly url: string; readonly init: RequestInit | undefined }[] {
  const asked: { readonly url: string; readonly init: RequestInit | undefined }[] = [];
  vi.stubGlobal("fetch", (url: string, init?: RequestInit) => {
    asked.push({ url, init });
    return answer();
  });
  return asked;
}

describe("a connection that cannot be made", () => {
  const reasonOf = (): Promise<unknown> => signalrConnection(BASE).start().then(() => null, (error: { reason?: unknown }) => error.reason);

  it("says for how long the service wants to be left alone", async () => {
    answering(async () => Response.json({ code: "busy" }, { status: 429, headers: { "retry-after": "12" } }));
    expect(await reasonOf()).toEqual({ kind: "status", step: "negotiate", status: 429, retryAfter: 12_000 });
  });

  it("says what is wrong otherwise", async () => {
    answering(async () => new Response("no", { status: 503 }));
    expect(await reasonOf()).toEqual({ kind: "status", step: "negotiate", status: 503 });
    answering(() => Promise.reject(new TypeError("Failed to fetch")));
    expect(await reasonOf()).toEqual({ kind: "unreachable", step: "negotiate" });
    answering(async () => new Response("<html>"));
    expect(await reasonOf()).toEqual({ kind: "unreadable", step: "negotiate" });
  });

  it("asks as the client itself would", async () => {
    const asked = answering(async () => new Response("no", { status: 503 }));
    await reasonOf();
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({ url: `${BASE}/negotiate?negotiateVersion=1`, init: { method: "POST", credentials: "same-origin" } });
    expect(asked[0]?.init?.headers).toMatchObject({ "x-requested-with": "XMLHttpRequest" });
  });

  it("ends with its time, and when nobody waits for it any longer", async () => {
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => new Promise((_resolve, reject) => init.signal?.addEventListener("abort", () => reject(new Error("aborted")))));
    const requests = new NotedRequests(BASE);
    await expect(requests.send({ url: `${BASE}/negotiate`, method: "POST", timeout: 1 })).rejects.toThrow("timeout");
    const abortSignal: { aborted: boolean; onabort: (() => void) | null } = { aborted: false, onabort: null };
    const ended = requests.send({ url: `${BASE}/negotiate`, method: "POST", abortSignal });
    abortSignal.onabort?.();
    await expect(ended).rejects.toThrow("aborted");
  });
});
