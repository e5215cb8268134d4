// One page in a headless Chromium, driven over stdio by a test.
//
//   node browser.mjs <pageUrl> <path of the Chromium program>
//
// It opens the page at once and writes one JSON object per line to stdout:
//   {"event":"loaded"}                                      the load event has fired
//   {"event":"failed","error":"…"}                          no browser or no page; the process ends
//   {"event":"console","level":"log|warning|error|…","text":"…"}
//   {"event":"error","text":"…"}                            an exception that the page did not catch
//   {"event":"report","value":…}                            the page called window.report(value)
//   {"event":"result","id":…,"result":…?,"error":"…"?}      the end of an evaluate command
//
// It takes one JSON object per line from stdin:
//   {"do":"evaluate","id":…,"expression":"…"}               awaited if it is a promise
//   {"do":"screenshot","id":…,"path":"…","colors":"light|dark"}   of the visible part, as a PNG file
//   {"do":"stop"}
// The end of stdin ends the browser and the process.

import { chromium } from "playwright-core";
import { emit, listen, text } from "./lines.mjs";

const [pageUrl, executablePath] = process.argv.slice(2);
const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const args = [
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  ...asRoot,
];

let browser;
let leaving = false;

async function leave(code = 0) {
  if (leaving) return;
  leaving = true;
  // A browser that does not close within this time is left to the closing of its pipe, which ends it.
  setTimeout(() => process.exit(code), 10_000).unref();
  await browser?.close();
  process.exit(code);
}

async function open() {
  browser = await chromium.launch({ executablePath, args, headless: true });
  if (leaving) {
    await browser.close();
    return undefined;
  }
  const page = await browser.newPage();
  page.on("console", (message) => emit("console", { level: message.type(), text: message.text() }));
  page.on("pageerror", (error) => emit("error", { text: text(error) }));
  await page.exposeFunction("report", (value) => emit("report", { value }));
  await page.goto(pageUrl);
  emit("loaded");
  return page;
}

const opened = open();

async function perform(command) {
  if (command.do === "stop") {
    await leave();
    return;
  }
  try {
    const page = await opened;
    if (command.do === "screenshot") {
      await page.emulateMedia({ colorScheme: command.colors });
      await page.screenshot({ path: command.path, animations: "disabled" });
      emit("result", { id: command.id });
      return;
    }
    emit("result", { id: command.id, result: await page.evaluate(command.expression) });
  } catch (error) {
    emit("result", { id: command.id, error: text(error) });
  }
}

listen(perform, leave);

try {
  await opened;
} catch (error) {
  emit("failed", { error: text(error) });
  await leave(1);
}
