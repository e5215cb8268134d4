// The ways in which replicas connect, in turn: every transport, and both protocols.

export function linksOf(HttpTransportType, messagePack) {
  const link = (name, transport, packed) => ({
    name: packed ? `${name} in MessagePack` : name,
    get options() {
      return { transport: HttpTransportType[transport], ...(packed ? { protocol: messagePack() } : {}) };
    },
  });
  // A browser has six HTTP connections to one server, and events and polls keep theirs: most use WebSockets.
  return [
    link("WebSockets", "WebSockets", false),
    link("WebSockets", "WebSockets", true),
    link("server-sent events", "ServerSentEvents", false),
    link("WebSockets", "WebSockets", false),
    link("long polling", "LongPolling", false),
    link("WebSockets", "WebSockets", true),
    link("long polling", "LongPolling", true),
  ];
}
