// The browser build of the npm client is a script with one global; the convergence module imports it by name.

export const { DefaultHttpClient, HttpError, HttpResponse, HubConnectionBuilder, LogLevel, NullLogger, TimeoutError } =
  globalThis.signalR;
