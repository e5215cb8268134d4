// What a Chromium trace says about scripting: how long JavaScript ran between one animation frame and the next.

/** Everything that runs JavaScript or cleans up after it; they nest, and the outermost one counts. */
const SCRIPT = new Set(["EvaluateScript", "FireAnimationFrame", "FunctionCall", "MajorGC", "MinorGC", "RunMicrotasks", "TimerFire"]);
const FRAME = "FireAnimationFrame";
const TASK = "ThreadControllerImpl::RunTask";

/**
 * Milliseconds of scripting per frame, sorted, how many frames there were in a second, and the milliseconds of each task,
 * sorted. Counted in the thread's own processor time: what other programs take from it is not the page's.
 */
export function measured(trace) {
  const thread = paintingThread(trace);
  const own = trace.filter((event) => event.ph === "X" && threadOf(event) === thread).sort((one, other) => one.ts - other.ts);
  const tasks = own.filter(({ name }) => name === TASK).map(({ tdur = 0 }) => tdur / 1000);
  return { ...scripting(own.filter(({ name }) => SCRIPT.has(name))), tasks: tasks.sort(ascending) };
}

function scripting(events) {
  const frames = events.filter(({ name }) => name === FRAME).map(({ ts }) => ts);
  const perFrame = new Array(Math.max(0, frames.length - 1)).fill(0);
  let frame = -1;
  for (const { ts, tdur = 0 } of outermost(events)) {
    while (frame + 1 < frames.length && frames[frame + 1] <= ts) frame += 1;
    if (frame >= 0 && frame < perFrame.length) perFrame[frame] += tdur / 1000;
  }
  const seconds = ((frames.at(-1) ?? 0) - (frames[0] ?? 0)) / 1e6;
  return { perFrame: perFrame.sort(ascending), framesPerSecond: seconds > 0 ? perFrame.length / seconds : 0 };
}

/** The page's own thread: the one that paints most. */
function paintingThread(trace) {
  const counts = new Map();
  for (const event of trace) {
    if (event.name === FRAME) counts.set(threadOf(event), (counts.get(threadOf(event)) ?? 0) + 1);
  }
  return [...counts].sort(([, one], [, other]) => other - one)[0]?.[0];
}

function ascending(one, other) {
  return one - other;
}

function threadOf({ pid, tid }) {
  return `${pid}/${tid}`;
}

function outermost(events) {
  let end = -Infinity;
  return events.filter(({ ts, dur = 0 }) => {
    if (ts < end) return false;
    end = ts + dur;
    return true;
  });
}
