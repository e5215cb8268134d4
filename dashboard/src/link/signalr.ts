/** The unmodified npm client of SignalR, behind the few calls that the link makes. */
import {
  DefaultHttpClient, HttpError, HttpResponse, HubConnectionBuilder, LogLevel, NullLogger, TimeoutError,
  type HttpRequest, type HttpTransportType, type IHubProtocol,
} from "@microsoft/signalr";
import { causeOfConnectError, LinkError } from "./cause";
import type { Connection } from "./link";
import { readRetryAfter } from "./retry-after";

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
  const requests = new NotedRequests(base);
  const builder = new HubConnectionBuilder()
    // Cookies are not needed, and without them a plain `Access-Control-Allow-Origin` is enough.
    .withUrl(base, { httpClient: requests, withCredentials: false, ...(transport === undefined ? {} : { transport }) })
    // Failures are shown on the page, in words.
    .configureLogging(LogLevel.None);
  if (protocol !== undefined) builder.withHubProtocol(protocol);
  const hub = builder.build();
  return {
    start: () => hub.start().catch((error: unknown) => {
      throw new LinkError(causeOfConnectError(error, requests.isLastToApi ? "negotiate" : "push", requests.retryAfter));
    }),
    stop: () => hub.stop(),
    get connectionId() {
      return hub.connectionId;
    },
    onMessage: (handler) => hub.on(TARGET, (argument: unknown) => handler(argument)),
    onClose: (handler) => hub.onclose(() => handler()),
  };
}

/**
 * The client's errors do not say whether the API or the SignalR service failed; the address of the last request does. Nor do
 * they say for how long a service wants to be left alone, so the API is asked here.
 */
export class NotedRequests extends DefaultHttpClient {
  isLastToApi = false;
  /** Milliseconds, of the last answer; 0 when it asked for nothing. */
  retryAfter = 0;

  constructor(private readonly base: string) {
    super(NullLogger.instance);
  }

  override send(request: HttpRequest): Promise<HttpResponse> {
    this.isLastToApi = (request.url ?? "").startsWith(`${this.base}/`);
    this.retryAfter = 0;
    return this.isLastToApi ? this.ask(request) : super.send(request);
  }

  /** As the client itself asks, and with the header that it does not read. */
  private async ask({ url = "", method = "GET", content, headers, timeout, abortSignal }: HttpRequest): Promise<HttpResponse> {
    const ending = new AbortController();
    if (abortSignal?.aborted === true) ending.abort();
    if (abortSignal !== undefined) abortSignal.onabort = () => ending.abort();
    const limit = timeout === undefined ? null : AbortSignal.timeout(timeout);
    const signal = limit === null ? ending.signal : AbortSignal.any([ending.signal, limit]);
    const init: RequestInit = { method, headers: { "x-requested-with": "XMLHttpRequest", ...headers }, cache: "no-cache", credentials: "same-origin", signal };
    const body = typeof content === "string" && content !== "" ? { body: content } : {};
    const answer = await fetch(url, { ...init, ...body }).catch((error: unknown) => {
      throw limit?.aborted === true ? new TimeoutError() : error;
    });
    this.retryAfter = answer.ok ? 0 : readRetryAfter(answer.headers.get("retry-after"), Date.now());
    const text = await answer.text();
    if (!answer.ok) throw new HttpError(text || answer.statusText, answer.status);
    return new HttpResponse(answer.status, answer.statusText, text);
  }
}
