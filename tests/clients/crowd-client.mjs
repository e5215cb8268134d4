// Many replicas of the convergence protocol in one Node process, driven over stdio by a test.
//
//   node crowd-client.mjs <options as JSON>
//
// options  base  address of the API, e.g. http://127.0.0.1:7071/api
//          seed  of the dice that decide what goes wrong
//          size  how many replicas
//
// They start at once. It takes one JSON object per line from stdin and answers each with one on stdout:
//   {"do":"report"}   {"event":"report","value":[…]}   what each replica follows, shows and did wrong (crowd.mjs)
//   {"do":"calm"}     {"event":"report","value":null}  nothing goes wrong any more
//   {"do":"deafen"}   {"event":"report","value":null}  some links bring nothing any more
// The end of stdin ends the process.

import { HttpTransportType } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { Replica, signalrConnection, SYSTEM_TIME } from "../../dashboard/dist-node/convergence.js";
import { Crowd } from "./crowd.mjs";
import { emit, listen } from "./lines.mjs";
import { linksOf } from "./links.mjs";

const links = linksOf(HttpTransportType, () => new MessagePackHubProtocol());
const crowd = new Crowd(JSON.parse(process.argv[2]), { Replica, signalrConnection, SYSTEM_TIME, links });

listen(
  (command) => emit("report", { value: crowd[command.do]() ?? null }),
  () => process.exit(0),
);
