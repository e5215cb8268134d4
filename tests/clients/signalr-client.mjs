// The unmodified npm SignalR client, driven over stdio by a test.
//
//   node signalr-client.mjs <negotiateUrl> [options as JSON]
//
// <negotiateUrl>  what an application negotiates with, e.g. http://127.0.0.1:7071/api/negotiate. A final
//                 "/negotiate" may be left out: the client adds it.
// options         reconnectDelays  milliseconds before each automatic reconnection; absent: no reconnection
//                 targets          client methods to report; absent: ["newMessage"]
//                 answers          what calls that want an answer get: {"<method>": {"result":…} or {"error":"…"}}
//                 transport        "WebSockets", "ServerSentEvents" or "LongPolling"; absent: all of them
//                 protocol         "json" or "messagepack"; absent: "json"
//
// It connects at once and writes one JSON object per line to stdout:
//   {"event":"connected","connectionId":"…"}
//   {"event":"failed","error":"…"}                          start() was refused; the process ends
//   {"event":"message","target":"…","arguments":[…]}
//   {"event":"reconnecting","error":"…"?}
//   {"event":"reconnected","connectionId":"…"}
//   {"event":"result","id":…,"result":…?,"error":"…"?}      the end of an invoke or send command
//   {"event":"closed","error":"…"?}                         for good; the process ends
//
// It takes one JSON object per line from stdin:
//   {"do":"invoke","id":…,"method":"…","arguments":[…]}
//   {"do":"send","id":…,"method":"…","arguments":[…]}
//   {"do":"stop"}
// The end of stdin ends the process. The client's own log (warnings and errors) goes to stderr.

import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { emit, listen, text } from "./lines.mjs";

const [negotiateUrl, optionsText = "{}"] = process.argv.slice(2);
const options = JSON.parse(optionsText);

function build() {
  const http = options.transport ? { transport: HttpTransportType[options.transport] } : {};
  const builder = new HubConnectionBuilder()
    .withUrl(negotiateUrl.replace(/\/negotiate$/, ""), http)
    .configureLogging({
      log: (level, message) => level >= LogLevel.Warning && process.stderr.write(`${message}\n`),
    });
  if (options.protocol === "messagepack") builder.withHubProtocol(new MessagePackHubProtocol());
  if (options.reconnectDelays) builder.withAutomaticReconnect(options.reconnectDelays);
  return builder.build();
}

const connection = build();
for (const target of options.targets ?? ["newMessage"]) {
  connection.on(target, (...values) => emit("message", { target, arguments: values }));
}
for (const [target, answer] of Object.entries(options.answers ?? {})) {
  connection.on(target, (...values) => {
    emit("message", { target, arguments: values });
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  });
}
connection.onreconnecting((error) => emit("reconnecting", { error: text(error) }));
connection.onreconnected((connectionId) => emit("reconnected", { connectionId }));
connection.onclose((error) => {
  emit("closed", { error: text(error) });
  process.exit(0);
});

async function perform(command) {
  if (command.do === "stop") {
    await connection.stop();
    return;
  }
  const call = command.do === "invoke" ? connection.invoke : connection.send;
  try {
    const result = await call.call(connection, command.method, ...(command.arguments ?? []));
    emit("result", { id: command.id, result });
  } catch (error) {
    emit("result", { id: command.id, error: text(error) });
  }
}

listen(perform, () => process.exit(0));

try {
  await connection.start();
  emit("connected", { connectionId: connection.connectionId });
} catch (error) {
  emit("failed", { error: text(error) });
  process.exit(1);
}
