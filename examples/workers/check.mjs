// Tests the module with Node 20: node check.mjs example_workers.wasm
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Receiver } from './receiver.mjs';

const module = await WebAssembly.compile(await readFile(process.argv[2]));
assert.deepEqual(WebAssembly.Module.imports(module), [], 'the module imports functions');
const receiver = new Receiver(module, ['topsecret', 'formersecret']);
const body = '{"event":"task.completed","process_id":6666,"status":"completed"}';
const now = Math.floor(Date.now() / 1000);

/** Signs a body, and passes the request to the receiver. The options modify the request. */
function receive(signed, { secret = 'topsecret', time = now, sent = signed, headers = {} } = {}) {
    const mac = createHmac('sha256', secret).update(`${time}.`).update(signed).digest('hex');
    const signature = { 'X-Scrupp-Timestamp': time, 'X-Scrupp-Signature': `sha256=${mac}` };
    const request = { method: 'POST', body: sent, headers: { ...signature, ...headers }, duplex: 'half' };
    return receiver.receive(new Request('https://localhost/webhooks/scrupp', request));
}

const accepted = await receive(body);
assert.equal(accepted.status, 200);
assert.match(accepted.delivery_id, /^[0-9a-f]{32}$/);
assert.equal(new TextDecoder().decode(accepted.body), body);
const again = await receive(body, { secret: 'formersecret', time: now - 290 });
assert.equal(again.delivery_id, accepted.delivery_id);

const binary = Uint8Array.from({ length: 256 * 1024 }, (_, index) => index);
const large = new Uint8Array(256 * 1024 + 1);
for (const signed of ['', binary]) assert.equal((await receive(signed)).status, 200);

const repeated = new Headers([['X-Scrupp-Signature', 'sha256=00'], ['X-Scrupp-Signature', 'sha256=00']]);
for (const [reason, status, rejected] of [
    ['signature_mismatch', 401, receive(body, { sent: `${body} ` })],
    ['signature_mismatch', 401, receive(body, { secret: 'another' })],
    ['too_old', 401, receive(body, { time: now - 310 })],
    ['in_future', 401, receive(body, { time: now + 70 })],
    ['malformed_timestamp', 401, receive(body, { time: `0${now}` })],
    ['malformed_signature', 401, receive(body, { headers: { 'X-Scrupp-Signature': '' } })],
    ['malformed_signature', 401, receive(body, { headers: Object.fromEntries(repeated) })],
    ['body_too_large', 413, receive(large)],
    ['body_too_large', 413, receive(body, { headers: { 'Content-Length': large.length } })],
]) {
    const received = await rejected;
    assert.deepEqual([received.reason, received.status], [reason, status]);
    const response = new Response(received.body, received);
    assert.equal(response.headers.has('WWW-Authenticate'), status === 401);
}

let chunks = 0;
const upload = () => new ReadableStream({
    pull(stream) {
        chunks += 1;
        stream.enqueue(new Uint8Array(64 * 1024));
        if (chunks === 100) stream.close();
    },
}, { highWaterMark: 0 });
assert.equal((await receive(body, { time: now - 310, sent: upload() })).reason, 'too_old');
assert.equal(chunks, 0, 'reads the body of a delivery that is too old');
assert.equal((await receive(body, { sent: upload() })).reason, 'body_too_large');
assert.equal(chunks, 5, 'reads more of a body that exceeds the limit');

const many = Array.from({ length: 200 }, (_, number) => {
    const genuine = number % 2 === 0;
    return receive(`${number}`, { secret: genuine ? 'topsecret' : 'another' });
});
for (const [number, received] of (await Promise.all(many)).entries()) {
    assert.equal(received.status, number % 2 === 0 ? 200 : 401, `concurrent request ${number}`);
}

assert.throws(() => new Receiver(module, []), /secret/);
console.log('the module verifies deliveries, and imports no functions');
