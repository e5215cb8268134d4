/**
 * Lines from standard input and to standard output. Both block: an engine in lock step has nothing else to do in the
 * meantime, and streams take several times as long.
 */
import { readSync, writeSync } from "node:fs";

const CHUNK = 65_536;

/** Reads lines of UTF-8 from a file descriptor. */
export class LineReader {
  #chunk = Buffer.alloc(CHUNK);
  #rest = Buffer.alloc(0);

  /** @param {(chunk: Uint8Array) => number} read fills the chunk and returns how many bytes; 0 at the end */
  constructor(read = readInput) {
    this.read = read;
  }

  /** Whether the next line has arrived already. */
  get hasNext() {
    return this.#rest.includes(10);
  }

  /** The next line, without its end, or `null` at the end of the input. */
  next() {
    while (!this.hasNext) {
      const length = this.read(this.#chunk);
      if (length === 0) return null;
      this.#rest = Buffer.concat([this.#rest, this.#chunk.subarray(0, length)]);
    }
    const end = this.#rest.indexOf(10);
    const line = this.#rest.toString("utf8", 0, end);
    this.#rest = this.#rest.subarray(end + 1);
    return line;
  }
}

/** @param {Uint8Array} chunk */
function readInput(chunk) {
  try {
    return readSync(0, chunk);
  } catch (error) {
    // On Windows the end of a pipe is an error.
    if (error.code === "EOF") return 0;
    throw error;
  }
}

/** @param {string} text */
export function write(text) {
  let rest = Buffer.from(text);
  while (rest.length > 0) rest = rest.subarray(writeSync(1, rest));
}
