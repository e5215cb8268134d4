// Loaded into Azurite before it starts, by the crate beside this file. Azurite's own line repeats the
// port it was asked for, which is 0 here, so this prints the one it got. And it ties Azurite to whoever
// started it: when standard input closes, because the parent is done or has died, Azurite saves and ends.
"use strict";

const { Server } = require("node:net");

const listen = Server.prototype.listen;
Server.prototype.listen = function (...where) {
  this.once("listening", () => console.log(`listening on port ${this.address().port}`));
  return listen.apply(this, where);
};

process.stdin.on("end", () => {
  const isHandled = process.emit("SIGINT");
  if (!isHandled) process.exit(0);
});
process.stdin.resume();
