// The handler of the tests: it tells the test what it got and does what the test says.
import http from "node:http";

const agent = new http.Agent({ keepAlive: true });
const [host, port] = process.env.DIRECTOR.split(":");

function ask(path, record, body) {
  return new Promise((resolve, reject) => {
    const headers = { "x-record": Buffer.from(JSON.stringify(record)).toString("base64") };
    const request = http.request({ agent, host, port, path, method: "POST", headers }, (reply) => {
      const chunks = [];
      reply.on("data", (chunk) => chunks.push(chunk));
      reply.on("end", () => resolve(JSON.parse(Buffer.concat(chunks).toString())));
    });
    request.on("error", reject);
    if (body) body.pipe(request);
    else request.end();
  });
}

function obey(order, response) {
  if (order.stdout) process.stdout.write(order.stdout + "\n");
  if (order.stderr) process.stderr.write(order.stderr + "\n");
  if (order.exit !== undefined) process.exit(order.exit);
  if (order.abort) process.kill(process.pid, "SIGKILL");
  if (order.hang || !response) return;
  response.writeHead(order.status, order.headers);
  response.end(order.body === undefined ? undefined : Buffer.from(order.body, "base64"));
}

const environment = { ...process.env };
const start = { pid: process.pid, arguments: process.argv.slice(2), folder: process.cwd(), environment };
const order = await ask("/start", start);
obey(order, null);
if (!order.hang) {
  const server = http.createServer(async (request, response) => {
    const { method, url, rawHeaders } = request;
    response.on("close", () => response.writableEnded || ask("/aborted", {}));
    obey(await ask("/request", { method, url, headers: rawHeaders }, request), response);
  });
  // A handler must not close idle connections sooner than the host does.
  server.keepAliveTimeout = 120_000;
  server.listen(Number(process.env.FUNCTIONS_CUSTOMHANDLER_PORT), "127.0.0.1");
} else {
  setInterval(() => {}, 1000);
}
