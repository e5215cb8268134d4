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
//   {"event":"result","id":…,"result":…?,"error":"…"?}      the end of a command that has an id
//
// It takes one JSON object per line from stdin:
//   {"do":"evaluate","id":…,"expression":"…"}               awaited if it is a promise
//   {"do":"screenshot","id":…,"path":"…","colors":"light|dark"}   of the visible part, as a PNG file
//   {"do":"press","id":…,"key":"Tab|Enter|…"}               as from the keyboard, to whatever has the focus
//   {"do":"emulate","id":…,"colors":"light|dark","motion":"reduce|no-preference","width":…}   the user's settings
//   {"do":"violations","id":…}                              of WCAG 2.2 A and AA that axe finds: [{"rule","help","nodes"}]
//   {"do":"reload","id":…}                                  the page anew; ends with its load event
//   {"do":"stop"}
// The end of stdin ends the browser and the process.

import axe from "axe-core";
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

/** The rules that a law may ask for. */
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

const commands = {
  evaluate: (page, { expression }) => page.evaluate(expression),
  press: (page, { key }) => page.keyboard.press(key),
  async reload(page) {
    await page.reload();
  },
  async screenshot(page, { colors, path }) {
    await page.emulateMedia({ colorScheme: colors });
    await page.screenshot({ path, animations: "disabled" });
  },
  async emulate(page, { colors, motion, width }) {
    await page.emulateMedia({ colorScheme: colors, reducedMotion: motion });
    await page.setViewportSize({ ...page.viewportSize(), width });
  },
  async violations(page) {
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate((values) => window.axe.run(document, { runOnly: { type: "tag", values } }), RULES);
    return violations.map(({ id, help, nodes }) => ({ rule: id, help, nodes: nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`) }));
  },
};

async function perform({ do: name, id, ...options }) {
  if (name === "stop") {
    await leave();
    return;
  }
  try {
    emit("result", { id, result: await commands[name](await opened, options) });
  } catch (error) {
    emit("result", { id, error: text(error) });
  }
}

listen(perform, leave);

try {
  await opened;
} catch (error) {
  emit("failed", { error: text(error) });
  await leave(1);
}
