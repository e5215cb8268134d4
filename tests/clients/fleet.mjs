// The fleet behind the bench's service: devices that report in turn, some of which stand still and some of which are silent.

const AREAS = ["Bondi", "Coogee", "Manly", "Newtown", "Parramatta", "Penrith", "Ryde", "Sydney"];
const MEASUREMENTS = [
  { name: "temperature", unit: "°C", min: -40, max: 80 },
  { name: "pressure", unit: "hPa", min: 600, max: 1600 },
  { name: "humidity", unit: "%", min: 0, max: 100 },
  { name: "light", unit: "", min: null, max: null },
];
/** One in so many devices reports the same values for ever, one in so many reports nothing. */
const STEADY = 20;
const SILENT = 50;
const REJECTED_PER_PAGE = 20;
const REJECTED = 50;

export class Fleet {
  #devices;
  #reporting;
  #next = 0;
  #version = 0;

  constructor(count) {
    const now = Date.now();
    this.#devices = Array.from({ length: count }, (_, index) => this.#device(index, now));
    this.#reporting = this.#devices.filter((_, index) => index % SILENT !== 7);
  }

  /** The next devices report; answers with their states. */
  report(count) {
    const now = Date.now();
    return Array.from({ length: count }, () => {
      const device = this.#reporting[this.#next % this.#reporting.length];
      this.#next += 1;
      return this.#update(device, now);
    });
  }

  /** `getdevicestate`: a cursor is the version of the newest state. */
  snapshot(query) {
    const since = Number(query.get("since") ?? -1);
    const areas = query.getAll("geo");
    const devices = this.#devices.filter(({ version, geo }) => version > since && (areas.length === 0 || areas.includes(geo)));
    return { devices, measurements: MEASUREMENTS, cursor: `${this.#version}` };
  }

  /** `rejectedtelemetry`: every device has a few rejected readings, the newest of them a moment ago. */
  rejected(query) {
    const from = Number(query.get("continuation") ?? 0);
    const until = Math.min(REJECTED, from + REJECTED_PER_PAGE);
    const rejected = Array.from({ length: until - from }, (_, index) => rejectedReading(query.get("deviceId"), from + index));
    return until < REJECTED ? { rejected, continuation: `${until}` } : { rejected };
  }

  #device(index, now) {
    const silent = index % SILENT === 7;
    const reportedAt = new Date(silent ? now - 60_000 * (index % 400) : now).toISOString();
    this.#version += 1;
    return {
      deviceId: `sensor-${String(index).padStart(5, "0")}`,
      geo: AREAS[index % AREAS.length],
      ...values(index, 0),
      count: 1,
      version: this.#version,
      reportedAt,
      changedAt: index % STEADY === 3 ? new Date(now - 7_200_000).toISOString() : reportedAt,
    };
  }

  #update(device, now) {
    const index = Number(device.deviceId.slice("sensor-".length));
    device.count += 1;
    this.#version += 1;
    device.version = this.#version;
    device.reportedAt = new Date(now).toISOString();
    if (index % STEADY === 3) return device;
    device.changedAt = device.reportedAt;
    return Object.assign(device, values(index, device.count));
  }
}

/** Smooth, different for each device, and the same in every run. */
function values(index, round) {
  const wave = Math.sin(index + round / 7);
  return {
    temperature: 20 + (index % 10) + 4 * wave,
    pressure: 1013 + 3 * wave,
    humidity: 55 - 12 * wave,
    light: Math.round(300 + 200 * wave),
  };
}

function rejectedReading(deviceId, index) {
  const at = new Date(Date.now() - 15_000 * (index + 1)).toISOString();
  return {
    deviceId,
    reason: "out_of_range",
    detail: "temperature 99.5 °C is above the valid 80 °C",
    body: `{"temperature":99.5,"note":"<img src=x onerror=alert(1)>"}`,
    bodyLength: 58,
    partition: "hub-3",
    sequenceNumber: 10_000 - index,
    reading: 0,
    enqueuedAt: at,
    rejectedAt: at,
  };
}
