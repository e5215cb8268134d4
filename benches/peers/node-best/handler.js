// The fastest Node handler that we could write. Readings are folded per device, a hundred devices go into one entity
// group transaction, states and etags are kept so that a warm batch reads nothing, and the batch is announced once.
// Envelope, transactions and replies are handled as bytes; only what a device said is parsed as JSON. A peer of
// `cargo dev bench`.
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { Service } from './service.js';

const { StorageConnectionString, AzureSignalRConnectionString, PartitionKey, FUNCTIONS_CUSTOMHANDLER_PORT } = process.env;
const MOST_OPERATIONS = 100;
const MOST_POINT_READS = 8;
const MOST_TRIES = 10;
const LARGEST_PUSH = 1_000_000;
const CALIBRATION_AGE_MS = 30_000;
const SIGNATURE_AGE_MS = 30_000;
const TOKEN_AGE_MS = 30 * 60_000;
const REPLY = '{"Outputs":{},"Logs":[],"ReturnValue":null}';

const settings = (text) =>
  Object.fromEntries(
    text.split(';').filter(Boolean).map((part) => {
      const at = part.indexOf('=');
      return [part.slice(0, at), part.slice(at + 1)];
    }),
  );

// Storage: one service, one table, one partition.

const storage = settings(StorageConnectionString);
const endpoint = new URL(storage.TableEndpoint ?? `http://${storage.AccountName}.table.core.windows.net`);
const basePath = endpoint.pathname.replace(/\/$/, '');
const tables = new Service(endpoint.hostname, Number(endpoint.port || 80));
const accountKey = Buffer.from(storage.AccountKey, 'base64');
const partition = encodeURIComponent(PartitionKey.replaceAll("'", "''"));
const signatures = new Map();

/** SharedKeyLite signs date and path only, so a signature serves for a while. */
function signed(path) {
  const now = Date.now();
  let known = signatures.get(path);
  if (known === undefined || now - known.at > SIGNATURE_AGE_MS) {
    const date = new Date(now).toUTCString();
    const text = `${date}\n/${storage.AccountName}${path}`;
    const signature = createHmac('sha256', accountKey).update(text).digest('base64');
    const headers =
      `x-ms-date: ${date}\r\nx-ms-version: 2019-02-02\r\nDataServiceVersion: 3.0\r\n` +
      `Accept: application/json;odata=minimalmetadata\r\nAuthorization: SharedKeyLite ${storage.AccountName}:${signature}\r\n`;
    known = { at: now, headers };
    signatures.set(path, known);
  }
  return known.headers;
}

async function read(path, query) {
  const reply = await tables.request(`GET ${path}${query} HTTP/1.1\r\n`, signed(path), '');
  if (reply.status === 404) return undefined;
  if (reply.status !== 200) throw new Error(`storage answered ${reply.status} to a read`);
  return reply;
}

async function scan(table, visit) {
  const path = `${basePath}/${table}()`;
  const filter = `?$filter=PartitionKey%20eq%20'${partition}'`;
  let next = '';
  do {
    const reply = await read(path, filter + next);
    for (const row of JSON.parse(reply.text()).value) visit(row);
    const [nextPartition, nextRow] = [reply.header('nextpartitionkey'), reply.header('nextrowkey')];
    next = nextPartition === undefined ? '' : `&NextPartitionKey=${encodeURIComponent(nextPartition)}`;
    if (nextRow !== undefined) next += `&NextRowKey=${encodeURIComponent(nextRow)}`;
  } while (next !== '');
}

// What is known of the devices.

const states = new Map();

class Device {
  constructor(id) {
    const address = `${endpoint.origin}${basePath}/DeviceState`;
    const row = encodeURIComponent(id.replaceAll("'", "''"));
    this.path = `${basePath}/DeviceState(PartitionKey='${partition}',RowKey='${row}')`;
    this.merge = `${PART}MERGE ${endpoint.origin}${this.path} HTTP/1.1\r\n${PART_HEADERS}If-Match: `;
    this.insert = `${PART}POST ${address} HTTP/1.1\r\n${PART_HEADERS}Prefer: return-no-content\r\n\r\n`;
    this.keys = `{"PartitionKey":${JSON.stringify(PartitionKey)},"RowKey":${JSON.stringify(id)},"DeviceId":${JSON.stringify(id)}`;
    this.pushed = `{"deviceId":${JSON.stringify(id)}`;
    this.count = 0;
    this.etag = undefined;
    // The batch's share: the number of its valid readings and the last of them.
    this.readings = 0;
    this.last = undefined;
  }

  took(row) {
    this.count = Number(row.Count ?? 0);
    this.etag = row['odata.etag'];
  }
}

const PART =
  '--changeset_b\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n';
const PART_HEADERS =
  'Accept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0\r\nContent-Type: application/json\r\n';
const OPENING = '--batch_b\r\nContent-Type: multipart/mixed; boundary=changeset_b\r\n\r\n';
const CLOSING = '--changeset_b--\r\n--batch_b--\r\n';

/** Reads the rows of devices whose etag is not known: some one by one, many with a scan. */
async function load(devices) {
  if (devices.length <= MOST_POINT_READS) {
    await Promise.all(
      devices.map(async (device) => {
        const reply = await read(device.path, '');
        if (reply) device.took(JSON.parse(reply.text()));
      }),
    );
    return;
  }
  await scan('DeviceState', (row) => {
    let device = states.get(row.RowKey);
    if (device === undefined) states.set(row.RowKey, (device = new Device(row.RowKey)));
    device.took(row);
  });
}

// Calibration.

let calibrations = { rows: new Map(), readAt: -Infinity };

async function currentCalibrations() {
  if (performance.now() - calibrations.readAt > CALIBRATION_AGE_MS) {
    const rows = new Map();
    await scan('Calibration', (row) => rows.set(row.RowKey, row));
    calibrations = { rows, readAt: performance.now() };
  }
  return calibrations.rows;
}

const calibrated = (value, slope, intercept) =>
  value == null || slope == null || intercept == null ? value : value * Number(slope) + Number(intercept);

function calibrate(reading, row) {
  reading.temperature = calibrated(reading.temperature, row.TemperatureSlope, row.TemperatureYIntercept);
  reading.humidity = calibrated(reading.humidity, row.HumiditySlope, row.HumidityYIntercept);
  reading.pressure = calibrated(reading.pressure, row.PressureSlope, row.PressureYIntercept);
}

const within = (value, low, high) => value == null || (value >= low && value <= high);

// Envelope: `"Data":{"events":"[\"<base64>\",…]"}`. Base64 needs no escapes, so the bodies are found as bytes.

const EVENTS = Buffer.from('"events":"[');
const QUOTE = Buffer.from('\\"');

function fold(body, calibrationOf) {
  const changed = [];
  let at = body.indexOf(EVENTS);
  if (at < 0) throw new Error('the envelope has no events');
  at += EVENTS.length;
  while (body[at] === 0x5c || body[at] === 0x2c) {
    const from = at + (body[at] === 0x2c ? 3 : 2);
    const to = body.indexOf(QUOTE, from);
    at = to + 2;
    const found = JSON.parse(Buffer.from(body.latin1Slice(from, to), 'base64').utf8Slice());
    if (Array.isArray(found)) for (const reading of found) take(reading, calibrationOf, changed);
    else take(found, calibrationOf, changed);
  }
  return changed;
}

function take(reading, calibrationOf, changed) {
  if (calibrationOf.size > 0) {
    const row = calibrationOf.get(reading.deviceId);
    if (row !== undefined) calibrate(reading, row);
  }
  if (!within(reading.temperature, -40, 80)) return;
  if (!within(reading.pressure, 600, 1600) || !within(reading.humidity, 0, 100)) return;
  let device = states.get(reading.deviceId);
  if (device === undefined) states.set(reading.deviceId, (device = new Device(reading.deviceId)));
  if (device.readings++ === 0) changed.push(device);
  device.last = reading;
}

// Transactions.

const texts = new Map();

/** Areas repeat, so their JSON is kept. */
function quoted(text) {
  if (text == null) return 'null';
  let known = texts.get(text);
  if (known === undefined) {
    if (texts.size > 1000) texts.clear();
    texts.set(text, (known = JSON.stringify(text)));
  }
  return known;
}

const measured = (name, value) => (value == null ? '' : `,"${name}@odata.type":"Edm.Double","${name}":${value}`);

function operation(device) {
  const { last } = device;
  const head = device.etag === undefined ? device.insert : `${device.merge}${device.etag}\r\n\r\n`;
  return (
    `${head}${device.keys},"Geo":${quoted(last.geo)}${measured('Celsius', last.temperature)}` +
    `${measured('Humidity', last.humidity)}${measured('hPa', last.pressure)}${measured('Light', last.light)}` +
    `,"Id":${JSON.stringify(last.messageId ?? null)},"Count":${device.count + device.readings},"Schema":1}\r\n`
  );
}

const BATCH = `${basePath}/$batch`;
const BATCH_LINE = `POST ${BATCH} HTTP/1.1\r\nContent-Type: multipart/mixed; boundary=batch_b\r\n`;
const ETAG = Buffer.from('\nETag: ', 'latin1');

/** Whether all were written; a conflict (409, 412) writes none. */
async function commit(devices) {
  let body = OPENING;
  for (const device of devices) body += operation(device);
  const reply = await tables.request(BATCH_LINE, signed(BATCH), body + CLOSING);
  if (reply.status !== 202) throw new Error(`storage answered ${reply.status} to a transaction`);
  const bytes = reply.body;
  const etags = [];
  for (let at = bytes.indexOf(ETAG); at >= 0; at = bytes.indexOf(ETAG, at)) {
    at += ETAG.length;
    etags.push(bytes.latin1Slice(at, bytes.indexOf(13, at)));
  }
  if (etags.length !== devices.length) {
    if (/HTTP\/1\.1 (409|412)/.test(reply.text())) return false;
    throw new Error(`storage refused a transaction: ${reply.text().slice(0, 500)}`);
  }
  for (let index = 0; index < devices.length; index += 1) {
    devices[index].etag = etags[index];
    devices[index].count += devices[index].readings;
  }
  return true;
}

const pause = (attempt) =>
  new Promise((resolve) => setTimeout(resolve, 40 + Math.random() * (Math.min(1000, 40 * 2 ** attempt) - 40)));

async function settle(devices) {
  for (let attempt = 0; attempt < MOST_TRIES; attempt += 1) {
    if (await commit(devices)) return;
    await pause(attempt);
    for (const device of devices) device.etag = undefined;
    await load(devices);
  }
  throw new Error('devices could not be written after ten tries');
}

// Push.

const signalr = settings(AzureSignalRConnectionString);
const hub = new URL(signalr.Endpoint);
if (signalr.Port) hub.port = signalr.Port;
const clients = new Service(hub.hostname, Number(hub.port || 80));
const audience = `${hub.origin}/api/hubs/enviromon/:send`;
const SEND_LINE = 'POST /api/hubs/enviromon/:send?api-version=2022-06-01 HTTP/1.1\r\nContent-Type: application/json\r\n';
let authorization = { headers: '', madeAt: -Infinity };

function authorized() {
  if (performance.now() - authorization.madeAt > TOKEN_AGE_MS) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { aud: audience, exp: Math.floor(Date.now() / 1000) + 3600 };
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
    const signature = createHmac('sha256', signalr.AccessKey).update(text).digest('base64url');
    authorization = { headers: `Authorization: Bearer ${text}.${signature}\r\n`, madeAt: performance.now() };
  }
  return authorization.headers;
}

async function send(views) {
  const body = `{"target":"newMessage","arguments":[[${views}]]}`;
  const reply = await clients.request(SEND_LINE, authorized(), body);
  if (reply.status >= 300) throw new Error(`SignalR answered ${reply.status}`);
}

/** One message, or as many as the service's size limit makes of it. */
function push(devices) {
  const sent = [];
  let views = '';
  for (const { pushed, last, count } of devices) {
    if (views.length > LARGEST_PUSH - 1000) {
      sent.push(send(views));
      views = '';
    }
    views +=
      `${views === '' ? '' : ','}${pushed},"temperature":${last.temperature ?? null},"pressure":${last.pressure ?? null}` +
      `,"humidity":${last.humidity ?? null},"light":${last.light ?? null},"geo":${quoted(last.geo)},"count":${count}}`;
  }
  sent.push(send(views));
  return Promise.all(sent);
}

// Invocations.

async function run(body) {
  const changed = fold(body, await currentCalibrations());
  if (changed.length === 0) return;
  try {
    const unknown = changed.filter((device) => device.etag === undefined);
    if (unknown.length > 0) await load(unknown);
    const transactions = [];
    for (let at = 0; at < changed.length; at += MOST_OPERATIONS) {
      transactions.push(settle(changed.slice(at, at + MOST_OPERATIONS)));
    }
    await Promise.all(transactions);
    await push(changed);
  } finally {
    for (const device of changed) device.readings = 0;
  }
}

let previous = Promise.resolve();

/** One batch at a time, because a device holds the share of one batch. */
function inTurn(body) {
  const result = previous.then(() => run(body));
  previous = result.catch(() => {});
  return result;
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    try {
      if (request.method === 'POST') await inTurn(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
    } catch (error) {
      console.error('the batch failed:', error);
      response.statusCode = 500;
    }
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Length', REPLY.length);
    response.end(REPLY);
  });
});
// The host keeps its connections for about a minute; closing sooner would fail its next call.
server.keepAliveTimeout = 120_000;
server.listen(Number(FUNCTIONS_CUSTOMHANDLER_PORT), '127.0.0.1');
