/**
 * The answer to a request by node:http, or an error: one of the two, whatever the other side does.
 *
 * Node emits neither where the server switches protocols unasked (101 with `Upgrade`, RFC 9110 §7.8), for then it hangs up,
 * nor while a proxy does not answer CONNECT, for then there is no socket that the request's signal could end. Whoever
 * waited for one of the two would wait for ever.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';

export async function responseTo(request: ClientRequest, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  request.once('response', resolve).on('error', reject);
  request.once('close', () => reject(closed()));
  const onAbort = (): void => {
    request.destroy();
    reject(aborted());
  };
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** In Node's words. */
function aborted(): NodeJS.ErrnoException {
  return Object.assign(new Error('The operation was aborted'), { name: 'AbortError', code: 'ABORT_ERR' });
}

/** The whole body; undefined: there is more of it, and the connection ends. A body that breaks off is an error. */
export async function bodyOf(response: IncomingMessage, mostBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostBytes) return undefined; // leaving the loop destroys the stream
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function closed(): NodeJS.ErrnoException {
  return Object.assign(new Error('the connection was closed without an answer'), { code: 'ECONNRESET' });
}
