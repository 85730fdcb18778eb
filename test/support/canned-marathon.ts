/**
 * A server that answers with given bytes, one after the other, and keeps what it was asked: for the client's dialogue
 * with each kind of answer. It has no state; what has is the simulator.
 */
import http, { type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import https from 'node:https';
import { type Disposer, listen, readBody } from './recording-proxy.ts';

export interface Canned {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Objects are sent as JSON, strings as they are. */
  readonly body?: unknown;
  /** reset: the connection breaks without an answer. truncate: after half of the body. silence: no answer at all. */
  readonly fault?: 'reset' | 'truncate' | 'silence';
  /** Instead of all the above. */
  readonly serve?: (response: ServerResponse) => void;
}

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface CannedMarathon {
  readonly url: string;
  readonly asked: readonly Asked[];
  /** Connections made so far. */
  connections(): number;
  close(): Promise<void>;
}

type Answers = readonly Canned[] | ((asked: Asked) => Canned);

/** The last answer is repeated. */
export async function startCannedMarathon(
  t: Disposer,
  answers: Answers,
  tls?: { readonly chainPem: string; readonly keyPem: string },
): Promise<CannedMarathon> {
  const asked: Asked[] = [];
  let connections = 0;
  const next = (request: Asked): Canned =>
    typeof answers === 'function' ? answers(request) : (answers[asked.length - 1] ?? answers.at(-1) ?? {});
  const listener = async (request: http.IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url: path = '', headers } = request;
    const one = { method, path, headers, body: (await readBody(request)).toString() };
    asked.push(one);
    answer(response, next(one));
  };
  const server = tls
    ? https.createServer({ cert: tls.chainPem, key: tls.keyPem }, listener)
    : http.createServer(listener);
  server.on('connection', () => connections++);
  const { port, close } = await listen(server, 0, '127.0.0.1');
  t.after(close);
  return {
    url: tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`,
    asked,
    connections: () => connections,
    close,
  };
}

function answer(response: ServerResponse, canned: Canned): undefined {
  if (canned.serve) return void canned.serve(response);
  if (canned.fault === 'silence') return undefined;
  if (canned.fault === 'reset') return void response.socket?.resetAndDestroy();
  const json = typeof canned.body !== 'string';
  const body = Buffer.from(json ? JSON.stringify(canned.body ?? {}) : (canned.body as string));
  const type = json ? { 'Content-Type': 'application/json' } : {};
  response.writeHead(canned.status ?? 200, { 'Content-Length': body.length, ...type, ...canned.headers });
  if (canned.fault !== 'truncate') return void response.end(body);
  response.write(body.subarray(0, body.length / 2), () => response.destroy());
  return undefined;
}
