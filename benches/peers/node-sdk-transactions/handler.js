// The best that can be made of @azure/data-tables: readings are folded per device, a hundred devices go into one
// transaction, transactions run concurrently, and counts and etags are kept, so that a warm batch reads nothing. A
// peer of `cargo dev bench`.
import { setImmediate } from 'node:timers/promises';
import { MOST_TRIES, entityOf, pause, rowsOf, serve, table } from '../node-idiomatic/common.js';

const MOST_OPERATIONS = 100;
const states = table('DeviceState');

/** Count and etag of each device's row, as storage told them last. */
const known = new Map();

async function load() {
  for await (const row of rowsOf(states)) known.set(row.rowKey, { count: row.Count ?? 0, etag: row.etag });
}

/** Writes all of them or none. */
async function commit(devices) {
  const written = devices.map(({ reading, readings }) => ({
    ...reading,
    count: (known.get(reading.deviceId)?.count ?? 0) + readings,
  }));
  const actions = written.map((state) => {
    const entity = entityOf(state, state.count);
    const row = known.get(state.deviceId);
    return row ? ['update', entity, 'Merge', { etag: row.etag }] : ['create', entity];
  });
  const { subResponses } = await states.submitTransaction(actions);
  written.forEach(({ deviceId, count }, index) => known.set(deviceId, { count, etag: subResponses[index].etag }));
  return written;
}

async function settle(devices) {
  for (let attempt = 0; attempt < MOST_TRIES; attempt += 1) {
    try {
      return await commit(devices);
    } catch (error) {
      if (error.statusCode !== 412 && error.statusCode !== 409) throw error;
    }
    await pause(attempt);
    await load();
  }
  throw new Error('devices could not be written after ten tries');
}

async function store(devices) {
  if (devices.some(({ reading }) => !known.has(reading.deviceId))) await load();
  const parts = [];
  for (let at = 0; at < devices.length; at += MOST_OPERATIONS) parts.push(devices.slice(at, at + MOST_OPERATIONS));
  return (await Promise.all(parts.map(settleInTurn))).flat();
}

/** The SDK takes a while to write a transaction: storage shall have the first before the next is begun. */
async function settleInTurn(devices, index) {
  for (let turns = 0; turns < index; turns += 1) await setImmediate();
  return settle(devices);
}

serve(store);
