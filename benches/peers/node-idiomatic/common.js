// What both handlers on Microsoft's SDK do alike: calibration, validation, folding, the push and the host's HTTP. They
// differ in how they keep the rows.
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { TableClient, odata } from '@azure/data-tables';

const { StorageConnectionString, AzureSignalRConnectionString, PartitionKey, FUNCTIONS_CUSTOMHANDLER_PORT } = process.env;
export const MOST_TRIES = 10;
const MOST_IN_MESSAGE = 5000;
const CALIBRATION_AGE_MS = 30_000;
const REPLY = JSON.stringify({ Outputs: {}, Logs: [], ReturnValue: null });

export const table = (name) =>
  TableClient.fromConnectionString(StorageConnectionString, name, { allowInsecureConnection: true });
const calibrationRows = table('Calibration');

/** All rows of the partition. */
export const rowsOf = (client) =>
  client.listEntities({ queryOptions: { filter: odata`PartitionKey eq ${PartitionKey}` } });

let calibrations = { rows: new Map(), readAt: -Infinity };

async function currentCalibrations() {
  if (performance.now() - calibrations.readAt > CALIBRATION_AGE_MS) {
    const rows = new Map();
    for await (const row of rowsOf(calibrationRows)) rows.set(row.rowKey, row);
    calibrations = { rows, readAt: performance.now() };
  }
  return calibrations.rows;
}

function calibrate(reading, calibration) {
  if (!calibration) return reading;
  const calibrated = { ...reading };
  for (const [name, prefix] of [['temperature', 'Temperature'], ['humidity', 'Humidity'], ['pressure', 'Pressure']]) {
    const [slope, intercept] = [calibration[`${prefix}Slope`], calibration[`${prefix}YIntercept`]];
    if (slope != null && intercept != null && reading[name] != null) {
      calibrated[name] = reading[name] * slope + intercept;
    }
  }
  return calibrated;
}

const within = (value, low, high) => value == null || (value >= low && value <= high);

const isValid = (reading) =>
  within(reading.temperature, -40, 80) && within(reading.pressure, 600, 1600) && within(reading.humidity, 0, 100);

/** The valid readings as the last one and their number, by device. */
function fold(invocation, calibrationOf) {
  const devices = new Map();
  for (const body of JSON.parse(invocation.Data.events)) {
    const found = JSON.parse(Buffer.from(body, 'base64').toString());
    for (const raw of Array.isArray(found) ? found : [found]) {
      const reading = calibrate(raw, calibrationOf.get(raw.deviceId));
      if (!isValid(reading)) continue;
      const readings = (devices.get(reading.deviceId)?.readings ?? 0) + 1;
      devices.set(reading.deviceId, { reading, readings });
    }
  }
  return [...devices.values()];
}

const double = (value) => (value == null ? undefined : { type: 'Double', value: String(value) });

export function entityOf(reading, count) {
  return {
    partitionKey: PartitionKey,
    rowKey: reading.deviceId,
    DeviceId: reading.deviceId,
    Geo: reading.geo,
    Celsius: double(reading.temperature),
    Humidity: double(reading.humidity),
    hPa: double(reading.pressure),
    Light: double(reading.light),
    Id: reading.messageId,
    Count: count,
    Schema: 1,
  };
}

export const pause = (attempt) =>
  new Promise((resolve) => setTimeout(resolve, 40 + Math.random() * (Math.min(1000, 40 * 2 ** attempt) - 40)));

const signalr = Object.fromEntries(
  AzureSignalRConnectionString.split(';').filter(Boolean).map((part) => {
    const at = part.indexOf('=');
    return [part.slice(0, at), part.slice(at + 1)];
  }),
);
const send = `${signalr.Endpoint.replace(/\/$/, '')}${signalr.Port ? `:${signalr.Port}` : ''}/api/hubs/enviromon/:send`;

function token() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { aud: send, exp: Math.floor(Date.now() / 1000) + 3600 };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', signalr.AccessKey).update(signed).digest('base64url')}`;
}

/** The service takes 1 MB at most; more devices are announced in several messages. */
async function push(changed) {
  for (let at = 0; at < changed.length; at += MOST_IN_MESSAGE) {
    await announce(changed.slice(at, at + MOST_IN_MESSAGE));
  }
}

async function announce(devices) {
  const answer = await fetch(`${send}?api-version=2022-06-01`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token()}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ target: 'newMessage', arguments: [devices] }),
  });
  if (!answer.ok) throw new Error(`SignalR answered ${answer.status}`);
  await answer.arrayBuffer();
}

/**
 * Answers the host. `store` writes the readings of a batch, folded as the last one of each device and their number,
 * and answers with the devices' new states.
 */
export function serve(store) {
  const run = async (body) => push(await store(fold(JSON.parse(body), await currentCalibrations())));
  const server = http.createServer((request, response) => answer(run, request, response));
  // The host keeps its connections for about a minute; closing sooner would fail its next call.
  server.keepAliveTimeout = 120_000;
  server.listen(Number(FUNCTIONS_CUSTOMHANDLER_PORT), '127.0.0.1');
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function answer(run, request, response) {
  try {
    if (request.method === 'POST') await run(await bodyOf(request));
  } catch (error) {
    console.error('the batch failed:', error);
    response.statusCode = 500;
  }
  response.setHeader('Content-Type', 'application/json').end(REPLY);
}
