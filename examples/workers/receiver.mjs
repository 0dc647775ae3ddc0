// Receives Scrupp's deliveries in JavaScript, with the verification in WebAssembly.
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

/** Number of bytes after which no more of a body is read. The verification has the same limit. */
const BODY_LIMIT = 256 * 1024;

/** Verifies requests. */
export class Receiver {
    #exports;

    /** Takes a module, and the secrets, the current one first. Throws an error if one is not valid. */
    constructor(module, secrets) {
        this.#exports = new WebAssembly.Instance(module).exports;
        const configured = this.#call('scrupp_configure', [fields(secrets)]);
        if (configured.status !== 200) throw new Error(configured.reason);
    }

    /**
     * Returns the status 200, the id and the body of a verified delivery. For any other request, returns the
     * response for the client, and the reason for the log.
     */
    async receive(request) {
        const now = Date.now();
        // The Fetch API joins repeated headers by a comma, so they are malformed.
        const head = fields([...request.headers].flat());
        const checked = this.#call('scrupp_check', [head], now);
        if (checked.status !== 200) return checked;
        const body = await read(request.body ?? []);
        return { body, ...this.#call('scrupp_verify', [head, body], head.length, now) };
    }

    /** Writes bytes into the buffer, and calls a function that takes them. */
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

/** Encodes texts, each followed by a NUL byte. */
function fields(texts) {
    return new TextEncoder().encode(texts.map((text) => `${text}\0`).join(''));
}

/** Reads a body, up to the chunk that exceeds the limit. */
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
