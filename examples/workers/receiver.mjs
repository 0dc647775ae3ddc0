// Receives Scrupp's deliveries in JavaScript, and verifies them with the WebAssembly module.
//
// On Cloudflare Workers:
//
//     import module from './example_workers.wasm';
//     import { Receiver } from './receiver.mjs';
//
//     let receiver;
//
//     export default {
//         async fetch(request, env) {
//             const secrets = [env.SCRUPP_WEBHOOK_SECRET, env.SCRUPP_WEBHOOK_SECRET_PREVIOUS];
//             receiver ??= new Receiver(module, secrets.filter(Boolean));
//             const received = await receiver.receive(request);
//             if (received.status !== 200) {
//                 console.warn(received.reason);
//                 return new Response(received.body, received);
//             }
//             // Claim `received.delivery_id`, and handle the event in `received.body`.
//             return new Response();
//         },
//     };

/** Body limit, in bytes. The module has the same limit. */
const BODY_LIMIT = 256 * 1024;

/** A receiver that verifies requests. */
export class Receiver {
    #exports;

    /** Creates a receiver. The current secret is first. Throws an error if a secret is invalid. */
    constructor(module, secrets) {
        this.#exports = new WebAssembly.Instance(module).exports;
        const configured = this.#call('scrupp_configure', [fields(secrets)]);
        if (configured.status !== 200) throw new Error(configured.reason);
    }

    /**
     * Verifies a request. If the delivery is verified, returns status 200, the delivery id and the body.
     * Otherwise returns the response for the client, and the reason for the log.
     */
    async receive(request) {
        const now = Date.now();
        // The Fetch API joins repeated headers with commas, so the module rejects them as malformed.
        const head = fields([...request.headers].flat());
        const checked = this.#call('scrupp_check', [head], now);
        if (checked.status !== 200) return checked;
        const body = await read(request.body ?? []);
        return { body, ...this.#call('scrupp_verify', [head, body], head.length, now) };
    }

    /** Writes bytes to the buffer, calls a function, and parses the JSON that it returns. */
    #call(name, parts, ...values) {
        const { memory, scrupp_buffer, [name]: call } = this.#exports;
        const bytes = concat(parts);
        const buffer = scrupp_buffer(bytes.length);
        new Uint8Array(memory.buffer).set(bytes, buffer);
        const returned = call(...values);
        const after = new Uint8Array(memory.buffer, returned);
        return JSON.parse(new TextDecoder().decode(after.subarray(0, after.indexOf(0))));
    }
}

/** Encodes strings, each followed by a NUL byte. */
function fields(texts) {
    return new TextEncoder().encode(texts.map((text) => `${text}\0`).join(''));
}

/** Reads a body, up to and including the chunk that exceeds the limit. */
async function read(body) {
    const chunks = [];
    let bytes = 0;
    for await (const chunk of body) {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes > BODY_LIMIT) break;
    }
    return concat(chunks);
}

function concat(chunks) {
    const all = new Uint8Array(chunks.reduce((bytes, chunk) => bytes + chunk.length, 0));
    chunks.reduce((at, chunk) => (all.set(chunk, at), at + chunk.length), 0);
    return all;
}
