// What the dashboard costs a browser: drives the real page in Chromium against a fleet that reports all the time.
//
//   node page-bench.mjs <folder of the built page> <path of the Chromium program> [seconds=20] [devices=10000] [updates/s=1000]
//
// While it measures, the table is scrolled, sorted by a value that moves, and a device's drawer is opened. It writes one
// line of JSON:
//   scriptMs       scripting from one frame to the next, garbage collection included: median, p99 and longest, from a trace,
//                  in processor time of the page's thread
//   frames         painted frames per second, from the same trace
//   longTasks      tasks that took over 50 ms by the clock, after the load: how many, and the longest in ms. Other programs
//                  make tasks long as well; where the machine is busy, `busyTasks` tells more
//   busyTasks      the same in processor time of the page's thread, from the trace
//   memoryMB       what the page holds after a garbage collection, at the start, each minute and at the end: JavaScript's
//                  heap, and beside it the numbers of the histories (`buffers`)
//   updatesApplied device states that the page applied per second
//   rows           rows in the document at the end

import { chromium } from "playwright-core";
import { startFleetService } from "./fleet-service.mjs";
import { measured } from "./trace.mjs";

const [pages, executablePath, seconds = 20, devices = 10_000, updatesPerSecond = 1_000] = process.argv.slice(2);
/** A trace holds some thousand events a second: this much of a long run is enough. */
const LONGEST_TRACE = 30;
const TRACED = ["devtools.timeline", "toplevel", "v8", "disabled-by-default-v8.gc", "__metadata"];
/** By the definition of a long task. */
const LONG = 50;

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function open(browser, url) {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.on("pageerror", (error) => fail(`the page failed: ${error.message}`));
  await page.addInitScript(() => {
    window.longTasks = [];
    new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" });
  });
  await page.goto(url);
  const all = Number(devices).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
  await page.waitForFunction((count) => document.querySelector('[data-testid="device-count"]').textContent === count, all);
  await page.waitForFunction(() => document.documentElement.dataset.link === "live");
  return page;
}

/** What somebody does who looks around, the whole time. */
async function lookAround(page, isOver) {
  await page.hover("#rows tr:nth-child(5) td:nth-child(4)");
  for (let step = 0; !isOver(); step += 1) {
    await page.mouse.wheel(0, step % 40 < 20 ? 300 : -300);
    if (step % 40 === 10) await page.click('[data-sort="value:temperature"]');
    if (step % 40 === 15) await page.click("#rows tr:nth-child(12) .device-name");
    if (step % 40 === 35) await page.keyboard.press("Escape");
    await pause(250);
  }
}

async function measure(page, browser) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.enable");
  const memory = [await heap(session)];
  await page.evaluate(() => (window.longTasks.length = 0));
  const applied = await page.evaluate(appliedNow);
  const started = Date.now();
  const left = () => Number(seconds) * 1000 - (Date.now() - started);
  const looking = lookAround(page, () => left() <= 0);
  while (left() > LONGEST_TRACE * 1000) {
    await pause(Math.min(60_000, left() - LONGEST_TRACE * 1000));
    memory.push(await heap(session));
  }
  const trace = await traced(page, browser, left());
  await looking;
  const took = (Date.now() - started) / 1000;
  const updatesApplied = ((await page.evaluate(appliedNow)) - applied) / took;
  const longTasks = await page.evaluate(() => window.longTasks);
  memory.push(await heap(session));
  const rows = await page.locator("#rows tr").count();
  return { trace, memory, longTasks, updatesApplied, rows };
}

async function traced(page, browser, milliseconds) {
  await browser.startTracing(page, { categories: TRACED });
  await pause(Math.max(1_000, milliseconds));
  return JSON.parse((await browser.stopTracing()).toString()).traceEvents;
}

async function heap(session) {
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize, backingStorageSize } = await session.send("Runtime.getHeapUsage");
  return { heap: megabytes(usedSize), buffers: megabytes(backingStorageSize) };
}

function appliedNow() {
  return Number(/^[\d\u202f]+/.exec(document.getElementById("tally").textContent)[0].replaceAll("\u202f", ""));
}

function megabytes(bytes) {
  return Math.round(bytes / 1e5) / 10;
}

function report({ trace, memory, longTasks, updatesApplied, rows }) {
  const { perFrame, framesPerSecond, tasks } = measured(trace);
  return {
    seconds: Number(seconds),
    devices: Number(devices),
    updatesApplied: Math.round(updatesApplied),
    rows,
    scriptMs: { median: at(perFrame, 0.5), p99: at(perFrame, 0.99), longest: at(perFrame, 1) },
    frames: Math.round(framesPerSecond * 10) / 10,
    longTasks: { count: longTasks.length, longest: Math.round(Math.max(0, ...longTasks)) },
    busyTasks: { count: tasks.filter((task) => task > LONG).length, longest: at(tasks, 1) },
    memoryMB: { start: memory[0], end: memory.at(-1), eachMinute: memory.slice(1, -1) },
  };
}

function at(sorted, share) {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return Math.round(value * 100) / 100;
}

function fail(text) {
  console.error(text);
  process.exitCode = 1;
}

if (executablePath === undefined) {
  fail("usage: node page-bench.mjs <folder of the built page> <Chromium program> [seconds] [devices] [updates/s]");
} else {
  const service = await startFleetService({ pages, devices: Number(devices), updatesPerSecond: Number(updatesPerSecond) });
  const asRoot = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath, args: ["--disable-gpu", ...asRoot] });
  try {
    const page = await open(browser, service.url);
    // What belongs to the load is over by then.
    await pause(3_000);
    console.log(JSON.stringify(report(await measure(page, browser))));
  } finally {
    await browser.close();
    service.stop();
  }
}
