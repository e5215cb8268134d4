// @ts-check
/**
 * The screens of the simulation: the page's own engine (`Replica`, built by `npm run build:node` in dashboard/) in virtual
 * time, driven in lock step over standard input and output. The simulation is its network and its clock.
 *
 *   node local/simulation/screens-engine/engine.mjs
 *
 * Each line of the input is a command and gets one line as its answer, in order. Several commands may be written before the
 * first answer is read. The end of the input ends the process. One process serves any number of runs, one after the other.
 * The same commands give the same answers, byte for byte.
 *
 * Times are milliseconds since 1970. Every command has a `now`, which never goes back within a run. Only `advance` runs
 * timers; every other command sets the clock and does one thing. So the simulation decides the order of two things that
 * happen at the same moment. An `advance` that comes late is a machine that was asleep.
 *
 * Commands, each `{"do":…,"now":…}` with these members:
 *
 *   begin        screens: a list of {following: {areas, devices}, seed, without, attentive}
 *                Drops everything before, and makes these screens, numbered from 0. `seed` is from 0 to 2^32-1 and decides
 *                the random parts of the screen's waits. `without` is null, "ScreenVersion", "CatchUp" or "Elsewhere"
 *                (without.mjs). With `attentive` (the default) the screen applies what has arrived after each command, as a
 *                visible page does; without it, when the store answers, as a page in the background does.
 *   start        screen. The page is opened.
 *   stop         screen. The page ends its connection; `start` goes on from what it knows.
 *   follow       screen, following. The page follows something else.
 *   retryNow     screen. The network is back, or somebody looks at the page again.
 *   advance      Runs the timers that are due.
 *   started      connection, connectionId. The connection is up, with this id.
 *   startFailed  connection, step, status. `step` is "negotiate" or "push" (the default). Without a status, nobody answered.
 *   message      connection, target, arguments: as they are on the wire. Ignored unless the connection is up.
 *   closed       connection. The connection is lost. Ignored when it has ended already.
 *   fetched      request, status, headers (names in lower case), body (text). The last two are optional. Ignored when the
 *                request was aborted.
 *   fetchFailed  request. There is no HTTP answer. Ignored when the request was aborted.
 *   show         screen. Tells what the screen shows.
 *
 * An answer is {"requests":[…],"wakeAt":…,"screens":[…],"violations":[…],"shown":{…}}. The last three are left out when there is
 * nothing to tell. The answer is {"error":"…"} for a command that cannot be carried out and for an exception in the page's
 * code; an exception behind a promise is told by the next `show` at the latest.
 *
 *   requests    What the simulation has to do, in the order in which the page asked for it:
 *               {"do":"start","screen":0,"connection":3}
 *                 Make a connection; answer with `started` or `startFailed`.
 *               {"do":"end","screen":0,"connection":3}
 *                 End a connection, which may still be starting. Needs no answer.
 *               {"do":"fetch","screen":0,"request":12,"method":"GET","path":"/api/getdevicestate?geo=north","headers":{…}}
 *                 Make an HTTP request, with a `body` if there is one; answer with `fetched` or `fetchFailed`.
 *               {"do":"abort","screen":0,"request":12}
 *                 Nobody waits for this request any longer. The server may still carry it out.
 *               Connections and requests are numbered from 0 in each run. An answer may also never come: the page gives up
 *               after 20 seconds.
 *   wakeAt      When the earliest timer is due, and `advance` has to come; null without timers.
 *   screens     {"screen":0,"status":"live","loaded":…,"connection":3} for each screen of which something has changed since it
 *               was last told. `loaded` is when the question to the store was asked whose complete answer the screen applied
 *               last; null before the first. `connection` is the one that is up, or null.
 *   violations  {"screen":0,"promise":"…","detail":"…"} for each promise that this command broke (record.mjs).
 *   shown       status, phase, following, contradictions, and devices, sorted by id: deviceId, geo (or null), values by
 *               measurement, count, version, and reportedAt and changedAt as in the service's view (or null). Where there are
 *               such: module, component, words (texts, yes or no) by measurement, measuredAt, and the problem of a state that
 *               the service cannot read; its version is then the last that the screen knew.
 *
 * A screen has what the store has when it is `live` and its `loaded` is later than the last commit. A screen asks the store
 * at the latest 300 seconds after its last answer. With failed tries in between, allow seven minutes after the last commit
 * and the last fault. When an answer holds changes that no message has brought, the screen waits for a message for five
 * seconds and then replaces its connection: it may not be `live` for a moment, but what it shows stays right.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LineReader, write } from "./lines.mjs";
import { Server } from "./server.mjs";

const MODULE = new URL("../../../dashboard/dist-node/convergence.js", import.meta.url);

if (!existsSync(MODULE)) {
  console.error(`${fileURLToPath(MODULE)} is missing: run npm ci and npm run build:node in dashboard/`);
  process.exit(1);
}

const server = new Server(await import(MODULE.href));
process.on("unhandledRejection", (error) => server.fail(error));
const input = new LineReader();
let answers = "";
for (let line = input.next(); line !== null; line = input.next()) {
  answers += `${await server.answer(line)}\n`;
  if (input.hasNext) continue;
  write(answers);
  answers = "";
}
