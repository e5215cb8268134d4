// The smallest custom handler that Node allows: what `cargo dev bench` compares the handler's start with.
'use strict';
const http = require('node:http');

http
  .createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end('{"Outputs":{},"Logs":[],"ReturnValue":null}');
  })
  .listen(Number(process.env.FUNCTIONS_CUSTOMHANDLER_PORT), '127.0.0.1');
