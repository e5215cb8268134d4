// Many replicas of the convergence protocol in one page, driven by a test through `crowd`. The test serves it beside the
// browser builds of the npm client, whose one global is `signalR`, and the convergence module.
//
//   crowd.html?seed=<of the dice that decide what goes wrong>&size=<how many replicas>

import { Replica, signalrConnection, SYSTEM_TIME } from "./convergence.js";
import { Crowd } from "./crowd.mjs";
import { linksOf } from "./links.mjs";

const { HttpTransportType, protocols } = globalThis.signalR;
const links = linksOf(HttpTransportType, () => new protocols.msgpack.MessagePackHubProtocol());
const query = new URLSearchParams(location.search);
const options = { base: `${location.origin}/api`, seed: Number(query.get("seed")), size: Number(query.get("size")) };
globalThis.crowd = new Crowd(options, { Replica, signalrConnection, SYSTEM_TIME, links });
