// Many replicas in one process or page, on links that go wrong as the dice of a seed fall, and what was wrong with them.
// Runs in Node (crowd-client.mjs) and in a page (crowd.html); what it is made of is handed in.

/** Milliseconds between two looks of a replica at what came in; about what a page that is drawn does. */
const FRAME = 50;

/** What the members follow, in turn; the last kind follows one after the other. */
const INTERESTS = [
  { areas: [], devices: [] },
  { areas: ["Bondi"], devices: [] },
  { areas: ["Manly", "Hay, WA"], devices: ["sensor-000", "sensor-101"] },
  { areas: [], devices: ["sensor-000", "sensor-001", "sensor-002", "sensor-103"] },
];

/** Numbers from 0 to 1 that look random (mulberry32). */
function dice(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One replica and its troubles. */
class Member {
  raging = true;
  troubles = { cuts: 0, deaf: 0, late: 0, failed: 0, changes: 0 };
  wrongs = [];
  newest = new Map();
  looking = false;
  hub = null;
  interest = 0;
  connections = 0;

  /** `parts`: what the module exports, and `links`: the options of `signalrConnection` that members use in turn. */
  constructor(place, { base, seed }, parts) {
    const { Replica, SYSTEM_TIME, signalrConnection, links } = parts;
    this.place = place;
    this.chance = dice(seed + place * 7919);
    this.fickle = place % (INTERESTS.length + 1) === INTERESTS.length;
    this.interest = place % INTERESTS.length;
    const link = links[place % links.length];
    const ports = {
      base,
      connect: () => this.troubled(signalrConnection(base, link.options)),
      fetch: (input, init) => this.fetch(input, init),
      time: SYSTEM_TIME,
    };
    this.name = `${place} over ${link.name}`;
    this.replica = new Replica(ports, { onChange: () => this.onChange(), onStep: (fleet) => this.onStep(fleet) }, INTERESTS[this.interest]);
    this.replica.start();
    this.later(() => this.cut(), 20_000);
    if (this.fickle) this.later(() => this.change(), 8_000);
  }

  misfortune(probability) {
    return this.raging && this.chance() < probability;
  }

  /** Again and again, after up to so many milliseconds, as long as it rages. */
  later(trouble, within) {
    setTimeout(() => {
      if (!this.raging) return;
      trouble();
      this.later(trouble, within);
    }, this.chance() * within);
  }

  cut() {
    if (this.hub === null) return;
    this.troubles.cuts += 1;
    this.hub.inner.stop();
  }

  change() {
    this.troubles.changes += 1;
    this.interest = (this.interest + 1) % INTERESTS.length;
    this.replica.follow(INTERESTS[this.interest]);
  }

  /** A real connection, of which every sixth is deaf from the beginning, and whose messages overtake each other. */
  troubled(inner) {
    const hub = { inner, deaf: this.raging && (this.place + this.connections) % 6 === 0 };
    this.connections += 1;
    if (hub.deaf) this.troubles.deaf += 1;
    this.hub = hub;
    return {
      start: () => inner.start(),
      stop: () => inner.stop(),
      get connectionId() {
        return inner.connectionId;
      },
      onClose: (handler) => inner.onClose(handler),
      onMessage: (handler) =>
        inner.onMessage((argument) => {
          if (hub.deaf) return;
          if (!this.misfortune(0.3)) return handler(argument);
          this.troubles.late += 1;
          setTimeout(() => hub.deaf || handler(argument), this.chance() * 2_000);
        }),
    };
  }

  async fetch(input, init) {
    if (this.misfortune(0.15)) {
      this.troubles.failed += 1;
      throw new TypeError("failed by the dice");
    }
    const reply = await fetch(input, init);
    if (this.misfortune(0.1)) await new Promise((done) => setTimeout(done, this.chance() * 2_000));
    return reply;
  }

  onChange() {
    if (this.looking) return;
    this.looking = true;
    setTimeout(() => {
      this.looking = false;
      this.replica.flush();
    }, FRAME);
  }

  /** Nothing older is shown than what was ever shown, and nothing that is not followed. */
  onStep({ rows }) {
    const { areas, devices } = this.replica.following;
    const everything = areas.length + devices.length === 0;
    for (const { device } of rows) {
      const { id, version, area } = device;
      const newest = this.newest.get(id) ?? 0;
      if (version < newest) this.wrong(`showed version ${version} of ${id} after ${newest}`);
      if (!everything && !areas.includes(area) && !devices.includes(id)) this.wrong(`showed ${id} in ${area}, which it does not follow`);
      this.newest.set(id, Math.max(version, newest));
    }
  }

  wrong(sentence) {
    if (this.wrongs.length < 5) this.wrongs.push(sentence);
  }

  report() {
    const { replica, name, hub, wrongs, troubles } = this;
    const devices = replica.fleet.rows.map(({ device: { id, area, version, count, values } }) => [id, { geo: area, version, count, temperature: values.temperature }]);
    return { name, following: replica.following, status: replica.status, deaf: hub?.deaf ?? false, wrongs, troubles, devices: Object.fromEntries(devices) };
  }
}

export class Crowd {
  constructor(options, parts) {
    this.members = Array.from({ length: options.size }, (_, place) => new Member(place, options, parts));
  }

  report() {
    return this.members.map((member) => member.report());
  }

  /** No more troubles. Links that are deaf stay so, and messages that are late still come. */
  calm() {
    for (const member of this.members) member.raging = false;
  }

  /** From now on every fifth member's link is up and brings nothing. */
  deafen() {
    for (const { place, hub } of this.members) if (place % 5 === 0 && hub !== null) hub.deaf = true;
  }
}
