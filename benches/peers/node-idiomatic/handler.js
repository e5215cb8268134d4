// What a competent Node developer writes today with @azure/data-tables: readings are folded per device, devices are read
// and merged concurrently, and the batch is announced once. A peer of `cargo dev bench`.
import { MOST_TRIES, entityOf, pause, serve, table } from './common.js';

const { PartitionKey } = process.env;
const IN_FLIGHT = 32;
const states = table('DeviceState');

async function update({ reading, readings }) {
  for (let attempt = 0; attempt < MOST_TRIES; attempt += 1) {
    const known = await states.getEntity(PartitionKey, reading.deviceId).catch((error) => {
      if (error.statusCode === 404) return undefined;
      throw error;
    });
    const count = (known?.Count ?? 0) + readings;
    const entity = entityOf(reading, count);
    try {
      if (known) await states.updateEntity(entity, 'Merge', { etag: known.etag });
      else await states.createEntity(entity);
      return { ...reading, count };
    } catch (error) {
      if (error.statusCode !== 412 && error.statusCode !== 409) throw error;
      await pause(attempt);
    }
  }
  throw new Error(`${reading.deviceId} could not be written`);
}

/** Calls `work` for each item, so many at a time. */
async function concurrently(items, work) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, items.length) }, worker));
  return results;
}

serve((devices) => concurrently(devices, update));
