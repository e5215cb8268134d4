/** The unmodified npm client, behind the few calls that the link makes. */
import {
  DefaultHttpClient, HubConnectionBuilder, LogLevel, NullLogger,
  type HttpRequest, type HttpResponse, type HttpTransportType, type IHubProtocol,
} from "@microsoft/signalr";
import { causeOfConnectError, LinkError } from "./cause";
import type { Connection } from "./link";

/** The target of every live message. */
const TARGET = "newMessage";

/** What a place may need that the ordinary way does not fit. */
export interface ConnectionOptions {
  /** Else the first that works of WebSockets, server-sent events and long polling. */
  readonly transport?: HttpTransportType;
  /** Else JSON. */
  readonly protocol?: IHubProtocol;
}

/**
 * A connection whose client posts to `<base>/negotiate`. Its automatic reconnection stays off: it does not cover the
 * first connection and ends after some tries, and trying again is the link's business alone.
 */
export function signalrConnection(base: string, { transport, protocol }: ConnectionOptions = {}): Connection {
  const requests = new NotedRequests();
  const builder = new HubConnectionBuilder()
    // No cookies across origins: nothing here needs them, and so a plain `Access-Control-Allow-Origin` is enough.
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

/** The client's errors do not say who failed, the API or the service that it redirected to; the last request does. */
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
