/** The unmodified npm client of SignalR, behind the few calls that the link makes. */
import {
  DefaultHttpClient, HubConnectionBuilder, LogLevel, NullLogger,
  type HttpRequest, type HttpResponse, type HttpTransportType, type IHubProtocol,
} from "@microsoft/signalr";
import { causeOfConnectError, LinkError } from "./cause";
import type { Connection } from "./link";

/** The target of every live message. */
const TARGET = "newMessage";

/** For an environment in which the defaults do not work. */
export interface ConnectionOptions {
  /** Default: the first that works of WebSockets, server-sent events and long polling. */
  readonly transport?: HttpTransportType;
  /** Default: JSON. */
  readonly protocol?: IHubProtocol;
}

/**
 * A connection that begins with a POST to `<base>/negotiate`. The client's automatic reconnection stays off: it does not
 * cover the first connection and gives up after some tries. Reconnecting is the task of the link.
 */
export function signalrConnection(base: string, { transport, protocol }: ConnectionOptions = {}): Connection {
  const requests = new NotedRequests();
  const builder = new HubConnectionBuilder()
    // Cookies are not needed, and without them a plain `Access-Control-Allow-Origin` is enough.
    .withUrl(base, { httpClient: requests, withCredentials: false, ...(transport === undefined ? {} : { transport }) })
    // Failures are shown on the page, in words.
    .configureLogging(LogLevel.None);
  if (protocol !== undefined) builder.withHubProtocol(protocol);
  const hub = builder.build();
  return {
    start: () => hub.start().catch((error: unknown) => {
      throw new LinkError(causeOfConnectError(error, requests.last.startsWith(base) ? "negotiate" : "push"));
    }),
    stop: () => hub.stop(),
    get connectionId() {
      return hub.connectionId;
    },
    onMessage: (handler) => hub.on(TARGET, (argument: unknown) => handler(argument)),
    onClose: (handler) => hub.onclose(() => handler()),
  };
}

/** The client's errors do not say whether the API or the SignalR service failed; the address of the last request does. */
class NotedRequests extends DefaultHttpClient {
  last = "";

  constructor() {
    super(NullLogger.instance);
  }

  override send(request: HttpRequest): Promise<HttpResponse> {
    this.last = request.url ?? "";
    return super.send(request);
  }
}
