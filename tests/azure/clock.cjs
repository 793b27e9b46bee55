// Loaded into the emulator before it: a request whose `x-ms-date` is far from the machine's time is
// dealt with as if it were that time. So a test that moves its own clock moves the service's along
// with it, and only its own: other requests, of other tests, keep theirs. And the emulator ends
// with the process that started it, however that ends: its standard input is closed then.
"use strict";

const { AsyncLocalStorage } = require("node:async_hooks");
const { Server } = require("node:http");

const RealDate = Date;
const clock = new AsyncLocalStorage();
const now = () => clock.getStore() ?? RealDate.now();

globalThis.Date = new Proxy(RealDate, {
  construct: (target, given, self) =>
    Reflect.construct(target, given.length === 0 ? [now()] : given, self === globalThis.Date ? target : self),
  apply: () => new RealDate(now()).toString(),
  get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
});

// Clients write whole seconds, and machines are a little apart: that is no moved clock.
const SAME = 60_000;
const emit = Server.prototype.emit;
Server.prototype.emit = function (event, ...given) {
  const sent = event === "request" ? RealDate.parse(given[0].headers["x-ms-date"]) : NaN;
  if (Number.isNaN(sent) || Math.abs(sent - RealDate.now()) < SAME) {
    return emit.call(this, event, ...given);
  }
  // Clients learn the service's time from here.
  given[1].setHeader("date", new RealDate(sent).toUTCString());
  return clock.run(sent, () => emit.call(this, event, ...given));
};

process.stdin.on("end", () => process.exit(0)).resume();
