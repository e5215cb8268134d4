import { build } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { policyFor } from "../policy";
import lock from "../package-lock.json";
import { findChromium, Page, serve } from "./browser.mjs";

/** The files of the built page by their path. */
async function built(): Promise<ReadonlyMap<string, string>> {
  const result = await build({ logLevel: "silent", build: { write: false } });
  const outputs = Array.isArray(result) ? result : [result];
  const files = outputs.flatMap((one) => ("output" in one ? one.output : []));
  return new Map(files.map((file) => [`/${file.fileName}`, file.type === "chunk" ? file.code : String(file.source)]));
}

let files: ReadonlyMap<string, string> = new Map();
beforeAll(async () => void (files = await built()), 120_000);

const htmlOf = (): string => files.get("/index.html") ?? "";

describe("the built page", () => {
  it("has its policy before anything that it holds for", () => {
    const policy = htmlOf().indexOf("Content-Security-Policy");
    expect(policy).toBeGreaterThan(0);
    for (const tag of ["<script", "<link", "<svg"]) expect(htmlOf().indexOf(tag), tag).toBeGreaterThan(policy);
  });

  it("has no script and no style in its text, and loads nothing from elsewhere", () => {
    expect(htmlOf()).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:|data:/i);
    for (const [, attributes, text] of htmlOf().matchAll(/<script([^>]*)>([^<]*)<\/script>/g)) expect([attributes?.includes('src="./'), text]).toEqual([true, ""]);
    for (const [, address] of htmlOf().matchAll(/\s(?:src|href)="([^"]*)"/g)) expect(address).toMatch(/^(\.\/|#)/);
  });

  it("may ask its own origin, SignalR and this machine, and an API elsewhere only when the publisher says so", () => {
    expect(policyFor(null)).toMatch(/^default-src 'self'; connect-src 'self' https:\/\/\*\.service\.signalr\.net wss:\/\/\*\.service\.signalr\.net http:\/\/127\.0\.0\.1:\* /);
    expect(policyFor(null)).not.toMatch(/unsafe|data:|\shttps:\s|\s\*/);
    expect(policyFor("https://x.azurewebsites.net/api")).toMatch(/connect-src 'self' https:\/\/x\.azurewebsites\.net https/);
    expect(() => policyFor("javascript:alert(1)")).toThrow("FIELDCAST_API");
  });

  it("is built by packages that need nothing but themselves on some machines", () => {
    const rollup: { readonly optionalDependencies: object } = lock.packages["node_modules/rollup"];
    expect(Object.keys(rollup.optionalDependencies).filter((name) => !name.startsWith("@rollup/") && name !== "fsevents")).toEqual([]);
  });
});

/** What is used of Node's requests and responses. */
interface Request {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}
interface Response {
  writeHead(status: number, headers?: Record<string, string>): Response;
  write(text: string): void;
  end(text?: string): void;
}

const HOUR = 3_600_000;

/** A service with a few devices of every kind. Its push service answers, and sends one state when the page has asked for all. */
class Service {
  readonly asked: string[] = [];
  /** Until it has had its handshake. */
  private stream: Response | null = null;
  private readonly now = Date.now();

  handle(request: Request, response: Response): boolean {
    const { pathname, searchParams } = new URL(request.url, "http://service.test");
    const json = (status: number, body: unknown, headers = {}): void => response.writeHead(status, { "content-type": "application/json", date: new Date().toUTCString(), ...headers }).end(JSON.stringify(body));
    this.asked.push(`${request.method} ${request.url}`);
    switch (pathname) {
      case "/api/negotiate":
        json(200, { url: `http://${request.headers["host"]}/hub`, accessToken: "t" });
        return true;
      case "/hub/negotiate":
        json(200, { connectionId: "c", connectionToken: "c", negotiateVersion: 1, availableTransports: [{ transport: "ServerSentEvents", transferFormats: ["Text"] }] });
        return true;
      case "/hub":
        this.hub(request, response);
        return true;
      case "/api/subscriptions":
        if (searchParams.get("group") === "geo:Refused") json(400, { code: "bad_group", error: "?" });
        else json(200, { group: searchParams.get("group"), settlesAfterSeconds: 5 });
        return true;
      case "/api/getdevicestate":
        if (this.asked.filter((one) => one.includes("getdevicestate")).length === 1) json(429, { code: "busy", error: "?" }, { "retry-after": "1" });
        else if (searchParams.has("continuation")) json(200, this.snapshot());
        else json(200, { devices: [], measurements: [], cursor: "1", continuation: "2" });
        return true;
      case "/api/rejectedtelemetry":
        json(200, searchParams.has("continuation") ? this.rejected() : { rejected: [], continuation: "more" });
        return true;
      default:
        return false;
    }
  }

  /** Server-sent events, and the client's own messages as posts. */
  private hub({ method }: Request, response: Response): void {
    if (method === "GET") {
      this.stream = response;
      response.writeHead(200, { "content-type": "text/event-stream" }).write(":\r\n\r\n");
      return;
    }
    response.writeHead(200).end();
    // The first post is the handshake; others are pings.
    this.stream?.write("data: {}\u001e\r\n\r\n");
    this.stream = null;
  }

  private at(age: number): string {
    return new Date(this.now - age).toISOString();
  }

  private snapshot(): unknown {
    const state = (deviceId: string, more: object): object => ({ deviceId, geo: "Sydney", count: 40, version: 40, reportedAt: this.at(500), changedAt: this.at(500), temperature: 21.5, ...more });
    return {
      devices: [
        state("sensor-1", { status: "charging", door: false }),
        state("tc-1", { temperature: 18.25 }),
        state("tc-1", { component: "thermostat2", temperature: 19.75, door: true, status: "ok" }),
        state("edge-7", { module: "SimulatedTemperatureSensor", temperature: 44.1, measuredAt: this.at(6 * HOUR), reportedAt: this.at(0) }),
        state("late-1", { reportedAt: this.at(2 * HOUR), geo: "Perth" }),
        { deviceId: "broken-1", geo: null, temperature: null, count: null, version: 0, reportedAt: null, changedAt: null, problem: "The column Count holds the text “many”: write a number, or delete the row." },
      ],
      measurements: [{ name: "temperature", unit: "°C", min: -40, max: 80 }, { name: "door", kind: "flag" }, { name: "status", kind: "text", values: ["ok", "charging", "low"] }],
      cursor: "1",
    };
  }

  private rejected(): unknown {
    const samples = [{ index: 0, reason: "out_of_range", detail: "temperature 99 is above 80", text: '{"temperature":99}' }, { index: 7, reason: "new_reason", detail: "", deviceId: "tc-9" }];
    return { rejected: [{ deviceId: "tc-1", reason: "out_of_range", detail: "5 readings are out of range", body: "<b>[…]</b>", partition: "hub-3", sequenceNumber: 12, count: 5, elements: "0-3,7", samples, enqueuedAt: this.at(60_000), rejectedAt: this.at(59_000) }] };
  }
}

const CHROMIUM = findChromium();
if (CHROMIUM === null) console.warn("skipped: no Chromium is installed, so the page is not tried in a browser");

const TYPES: Readonly<Record<string, string>> = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };

describe.skipIf(CHROMIUM === null)("the built page in a browser", () => {
  let server: Awaited<ReturnType<typeof serve>>;
  let page: Page;
  let service: Service;
  let elsewhere: string[] = [];

  beforeAll(async () => {
    service = new Service();
    server = await serve((request: Request, response: Response) => {
      if (service.handle(request, response)) return;
      const path = new URL(request.url, "http://x").pathname.replace(/^\/$/, "/index.html");
      const text = files.get(path);
      if (text === undefined) elsewhere.push(path);
      response.writeHead(text === undefined ? 404 : 200, { "content-type": TYPES[path.split(".").at(-1) ?? ""] ?? "text/plain" }).end(text);
    });
    page = new Page(CHROMIUM);
    await page.open(`${server.origin}/?api=https://elsewhere.example/api#area=Refused&device=tc-1%7C%7Cthermostat2`);
  }, 60_000);

  afterAll(async () => {
    await page?.close();
    await server?.close();
  });

  const textOf = (selector: string): Promise<string> => page.evaluate(`document.querySelector(${JSON.stringify(selector)})?.textContent.trim()`);
  const cell = (device: string, field: string): Promise<string> => textOf(`tr[data-device="${device}"] [data-field="${field}"]`);

  it("works under its policy, waits when it is asked to, and follows parts that are empty", async () => {
    await page.until(`document.querySelector('[data-testid="link-state"]')?.dataset.state === "live"`);
    await page.until(`document.querySelectorAll("tr[data-device]").length === 6`);
    expect(page.complaints.filter((text) => !/status of 4\d\d/.test(text))).toEqual([]);
    expect(elsewhere).toEqual([]);
  }, 60_000);

  it("shows what cannot be read first, with its problem", async () => {
    expect(await page.evaluate(`document.querySelector("#rows tr").dataset.device`)).toBe("broken-1");
    expect(await cell("broken-1", "state")).toBe("damaged");
    expect(await cell("broken-1", "problem")).toMatch(/^The column Count holds/);
    const visible = `[...document.querySelectorAll('tr[data-device="broken-1"] > *')].filter((cell) => cell.getClientRects().length > 0).map((cell) => cell.dataset.field)`;
    expect(await page.evaluate(visible)).toEqual(["device", "state", "problem"]);
    expect(await page.evaluate(`document.querySelector('tr[data-device="tc-1"] [data-field="problem"]').hidden`)).toBe(true);
    expect(await textOf('#chips [data-show="damaged"]')).toBe("damaged 1");
    expect(await textOf('#chips [data-show="live"]')).toBe("live 4");
  });

  it("shows sources, words and backlogs", async () => {
    expect(await cell("tc-1||thermostat2", "device")).toBe("tc-1 / thermostat2");
    expect([await cell("tc-1||thermostat2", "door"), await cell("tc-1||thermostat2", "status"), await cell("tc-1", "door")]).toEqual(["yes", "ok", "–"]);
    expect(await textOf("#drawer-title")).toBe("tc-1 / thermostat2");
    await page.until(`document.querySelectorAll(".rejected-samples li").length === 2`);
    expect(await textOf(".rejected-elements")).toBe("5 readings of this body, counted from 0: 0-3,7");
    expect(await page.evaluate(`document.querySelector("#rejected-list b")`)).toBeNull();
    await page.evaluate(`document.querySelector('tr[data-device="edge-7|SimulatedTemperatureSensor|"] .device-name').click()`);
    await page.until(`document.querySelector("#drawer-reports").textContent.includes("Measured 6 h ago, reported")`);
    expect(await textOf('[data-fact="module"]')).toBe("SimulatedTemperatureSensor");
  }, 60_000);

  it("says what it was asked for and does not do", async () => {
    const remark = await textOf('[data-testid="remark"]');
    expect(remark).toMatch(/no data from https:\/\/elsewhere\.example\/api/);
    expect(remark).toMatch(/does not accept the name “Refused”.*All areas are followed\./);
    expect(await page.evaluate("location.hash")).not.toContain("Refused");
    expect(await page.evaluate(`[...document.querySelectorAll("#areas-list input")].map((box) => box.value)`)).toEqual(["Perth", "Sydney"]);
    expect(service.asked.filter((one) => one.startsWith("POST /api/negotiate"))).toHaveLength(1);
  });

  it("is kept from running what others put into it, and from asking others", async () => {
    await page.evaluate(`document.head.append(Object.assign(document.createElement("script"), { textContent: "window.injected = true" }))`);
    expect(await page.evaluate("window.injected")).toBeUndefined();
    expect(await page.evaluate(`fetch("https://elsewhere.example/").then(() => "asked", (error) => error.name)`)).toBe("TypeError");
    await page.until("true");
    expect(page.complaints.filter((text) => /Content Security Policy/.test(text)).length).toBeGreaterThanOrEqual(2);
  });
});
