// Correct receiver that uses only the standard library of Node.
"use strict";
const crypto = require("node:crypto");
const http = require("node:http");

const SECRET = process.env.SCRUPP_WEBHOOK_SECRET;
const LIMIT = 256 * 1024;
const handled = new Set();

// Returns the value of a header that occurs exactly once. `request.headers` joins repeated headers.
function header(request, name) {
  const values = request.headersDistinct[name] ?? [];
  return values.length === 1 ? values[0] : undefined;
}

function isGenuine(request, body) {
  const signature = header(request, "x-scrupp-signature") ?? "";
  const timestamp = header(request, "x-scrupp-timestamp") ?? "";
  if (!/^[1-9][0-9]{0,15}$/.test(timestamp)) return false;
  if (!/^sha256=[0-9a-f]{64}$/i.test(signature)) return false;
  const mac = crypto.createHmac("sha256", SECRET).update(`${timestamp}.`).update(body);
  const given = Buffer.from(signature.slice(7), "hex");
  if (!crypto.timingSafeEqual(given, mac.digest())) return false;
  const age = Math.floor(Date.now() / 1000) - Number(timestamp);
  return age <= 300 && age >= -60;
}

function receive(request, response) {
  const chunks = [];
  let length = 0;
  const end = (status) => response.writeHead(status).end();
  if (Number(request.headers["content-length"] ?? 0) > LIMIT) {
    response.setHeader("connection", "close");
    return end(413);
  }
  request.on("data", (chunk) => {
    length += chunk.length;
    if (length <= LIMIT) chunks.push(chunk);
    else if (!response.headersSent) end(413);
  });
  request.on("end", () => {
    if (response.headersSent) return;
    const body = Buffer.concat(chunks);
    if (!isGenuine(request, body)) return end(401);
    let id = body.toString("hex");
    try {
      const event = JSON.parse(body);
      id = `${event.process_id} ${event.status}`;
    } catch {
      // Not an event: the bytes are the id.
    }
    handled.add(id);
    end(200);
  });
}

const server = http.createServer((request, response) => {
  if (request.url === "/count") response.end(JSON.stringify({ count: handled.size }));
  else if (request.method === "POST") receive(request, response);
  else response.writeHead(405).end();
});
server.requestTimeout = 10_000;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
