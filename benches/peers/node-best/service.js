// One HTTP service over kept sockets: a request is one write, a reply is found by its own length. Node's http module
// costs a multiple of it per request.
import net from 'node:net';

const MOST_SOCKETS = 32;
const END_OF_HEAD = Buffer.from('\r\n\r\n');

export class Service {
  constructor(host, port) {
    this.host = host;
    this.port = port;
    this.hostHeader = `Host: ${host}:${port}\r\n`;
    this.idle = [];
    this.open = 0;
    this.waiting = [];
  }

  /** `line` is the request line and may have headers behind it; each header ends with its line break. */
  async request(line, headers, body) {
    const length = `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    const bytes = `${line}${this.hostHeader}${headers}${length}${body}`;
    for (;;) {
      const { socket, reused } = await this.take();
      try {
        const reply = await socket.exchange(bytes);
        this.give(socket);
        return reply;
      } catch (error) {
        this.drop(socket);
        // A kept socket may have been closed by the other side just now; a fresh one has no such excuse.
        if (!reused || socket.answered) throw error;
      }
    }
  }

  take() {
    for (let socket = this.idle.pop(); socket; socket = this.idle.pop()) {
      if (!socket.closed) return { socket, reused: true };
      this.open -= 1;
    }
    if (this.open < MOST_SOCKETS) {
      this.open += 1;
      return { socket: new Socket(this.host, this.port), reused: false };
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  give(socket) {
    const next = this.waiting.shift();
    if (next) next({ socket, reused: true });
    else this.idle.push(socket);
  }

  drop(socket) {
    socket.destroy();
    this.open -= 1;
    const next = this.waiting.shift();
    if (next) {
      this.open += 1;
      next({ socket: new Socket(this.host, this.port), reused: false });
    }
  }
}

class Socket {
  constructor(host, port) {
    this.closed = false;
    this.answered = false;
    this.pending = undefined;
    this.chunks = [];
    this.size = 0;
    this.wanted = 0;
    this.socket = net.connect({ host, port, noDelay: true });
    this.socket.on('data', (chunk) => this.took(chunk));
    this.socket.on('error', (error) => this.ended(error));
    this.socket.on('close', () => this.ended(new Error('the service closed the connection')));
  }

  exchange(bytes) {
    return new Promise((resolve, reject) => {
      this.pending = { resolve, reject };
      this.answered = false;
      if (this.closed) return this.ended(new Error('the connection is closed'));
      this.socket.write(bytes);
    });
  }

  took(chunk) {
    this.answered = true;
    this.chunks.push(chunk);
    this.size += chunk.length;
    // Until the length of the reply is known, and until it is there, nothing is put together.
    if (this.size < this.wanted) return;
    const read = this.chunks.length === 1 ? chunk : Buffer.concat(this.chunks, this.size);
    this.chunks = [read];
    const reply = replyIn(read);
    if (typeof reply === 'number') {
      this.wanted = reply;
      return;
    }
    this.chunks = [];
    this.size = 0;
    this.wanted = 0;
    const { resolve } = this.pending;
    this.pending = undefined;
    resolve(reply);
  }

  ended(error) {
    this.closed = true;
    const pending = this.pending;
    this.pending = undefined;
    pending?.reject(error);
  }

  destroy() {
    this.socket.destroy();
  }
}

class Reply {
  constructor(status, head, body) {
    this.status = status;
    this.head = head;
    this.body = body;
  }

  text() {
    return this.body.utf8Slice();
  }

  /** The header whose name ends so; continuation headers have a long prefix. */
  header(name) {
    return new RegExp(`${name}: *([^\\r]*)\\r`, 'i').exec(this.head)?.[1];
  }
}

/** The reply, or how many bytes it takes at least. */
function replyIn(read) {
  const end = read.indexOf(END_OF_HEAD);
  if (end < 0) return read.length + 1;
  const head = read.latin1Slice(0, end + 2);
  const status = Number(head.slice(9, 12));
  const start = end + 4;
  const length = /\r\ncontent-length: *(\d+)\r/i.exec(head)?.[1];
  if (length !== undefined || status === 204) {
    const whole = start + Number(length ?? 0);
    return read.length < whole ? whole : new Reply(status, head, read.subarray(start, whole));
  }
  const pieces = [];
  for (let at = start; ; ) {
    const line = read.indexOf(10, at);
    if (line < 0) return read.length + 1;
    const size = Number.parseInt(read.latin1Slice(at, line), 16);
    const next = line + 1 + size + 2;
    if (read.length < next) return next;
    if (size === 0) return new Reply(status, head, pieces.length === 1 ? pieces[0] : Buffer.concat(pieces));
    pieces.push(read.subarray(line + 1, line + 1 + size));
    at = next;
  }
}
