/** A headless Chromium driven over a pipe, and a web server for the pages that it opens. For tests. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const PATIENCE = 30_000;

/** The program, or `null` where there is none. On a build server that is an error. */
export function findChromium() {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = folders.flatMap((folder) => NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
  if (found === undefined && process.env["CI"] !== undefined) throw new Error("no Chromium is installed, which the page's tests need");
  return found ?? null;
}

/** Serves on a free port of this machine until it is closed. `handle` gets Node's request and response. */
export async function serve(handle) {
  const server = createServer(handle);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { origin: `http://127.0.0.1:${server.address().port}`, close };
}

/** One page in a browser of its own. */
export class Page {
  /** Warnings and errors of the console, uncaught exceptions, and what the browser has to say about the page. */
  complaints = [];
  #waiting = new Map();
  #session = undefined;
  #profile = mkdtempSync(join(tmpdir(), "fieldcast-page-"));

  constructor(program) {
    const args = ["--headless", "--remote-debugging-pipe", `--user-data-dir=${this.#profile}`, "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"];
    const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    this.browser = spawn(program, [...args, ...asRoot, "about:blank"], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    let text = "";
    this.browser.stdio[4].setEncoding("utf8").on("data", (chunk) => {
      const lines = (text + chunk).split("\0");
      text = lines.pop() ?? "";
      for (const line of lines) this.#receive(JSON.parse(line));
    });
  }

  /** Opens the address in a window of this size. */
  async open(address, { width = 1280, height = 800 } = {}) {
    const { targetId } = await this.#call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.#call("Target.attachToTarget", { targetId, flatten: true });
    this.#session = sessionId;
    for (const domain of ["Page", "Log", "Runtime"]) await this.#call(`${domain}.enable`);
    await this.#call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    await this.#call("Page.navigate", { url: address });
  }

  /** The value of an expression, awaited if it is a promise. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.#call("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true. */
  async until(expression) {
    const end = Date.now() + PATIENCE;
    const attempt = `new Promise((done) => setTimeout(() => done(Boolean(${expression})), 20))`;
    while (!(await this.evaluate(attempt).catch(() => false))) {
      if (Date.now() > end) throw new Error(`not within ${PATIENCE} ms: ${expression}\n${this.complaints.join("\n")}\n${await this.evaluate("document.body.innerText")}`);
    }
  }

  /** A PNG file of what is visible, as base64. */
  async screenshot() {
    return (await this.#call("Page.captureScreenshot", { format: "png" })).data;
  }

  async close() {
    const ended = new Promise((resolve) => this.browser.once("exit", resolve));
    this.browser.kill();
    await ended;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #call(method, params = {}) {
    const id = this.#waiting.size + 1;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.browser.stdio[3].write(`${JSON.stringify({ id, method, params, ...(this.#session === undefined ? {} : { sessionId: this.#session }) })}\0`);
    });
  }

  #receive({ id, result, error, method, params }) {
    if (id !== undefined) {
      const { resolve, reject } = this.#waiting.get(id);
      if (error === undefined) resolve(result);
      else reject(new Error(error.message));
    }
    if (method === "Log.entryAdded" && params.entry.level !== "verbose") this.complaints.push(params.entry.text);
    if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    if (method === "Runtime.consoleAPICalled" && ["error", "warning"].includes(params.type)) this.complaints.push(params.args.map(({ value }) => value).join(" "));
  }
}
