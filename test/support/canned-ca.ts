/**
 * A CA that speaks as much of ACME (RFC 8555) as an order needs, and gives the bytes it was told to where it was told to.
 *
 * It checks no signature and issues nothing: an order that nothing stops stays in `processing`. For what a CA says and
 * the program makes of it; who wants certificates takes Pebble.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import { listen, readBody } from './recording-proxy.ts';

export type Step =
  | 'directory'
  | 'newNonce'
  | 'newAccount'
  | 'newOrder'
  | 'order'
  | 'authz'
  | 'challenge'
  | 'finalize'
  | 'certificate';

/** What is sent instead of the usual answer. */
export interface Bytes {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** reset: the connection breaks. half: half of the body, then it breaks. silence: nothing ever comes. */
  readonly fault?: 'reset' | 'half' | 'silence';
}

export interface Request {
  readonly step: Step;
  /** Of the order it belongs to; of this one alone for an authorization. */
  readonly names: readonly string[];
  readonly payload: Readonly<Record<string, unknown>>;
  /** Where the CA is. */
  readonly base: string;
}

/** Undefined: the usual answer. */
export type Script = (request: Request) => Bytes | undefined;

export interface CannedCa {
  readonly directoryUrl: string;
  /** What was asked, in order. */
  readonly asked: readonly Request[];
  /** The names of each order that was asked for. */
  orders(): readonly (readonly string[])[];
}

interface Order {
  readonly names: readonly string[];
  readonly failed: Map<string, string>;
  finalized: boolean;
}

export async function startCannedCa(
  t: { after(stop: () => Promise<void>): void },
  script: Script,
  tls?: { readonly chainPem: string; readonly keyPem: string },
): Promise<CannedCa> {
  const ca = new Ca(script);
  const serve = (request: IncomingMessage, response: ServerResponse): void => void ca.answer(request, response);
  const server = tls ? https.createServer({ cert: tls.chainPem, key: tls.keyPem }, serve) : http.createServer(serve);
  const { port, close } = await listen(server, 0, '127.0.0.1');
  t.after(close);
  ca.base = `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${port}`;
  const orders = (): readonly (readonly string[])[] =>
    ca.asked.filter(({ step }) => step === 'newOrder').map(({ names }) => names);
  return { directoryUrl: `${ca.base}/directory`, asked: ca.asked, orders };
}

/** As Boulder, a problem of a challenge is in its authorization; here the script says `challenge` for it. */
class Ca {
  base = '';
  readonly asked: Request[] = [];
  readonly #script: Script;
  readonly #orders: Order[] = [];
  /** As at Let's Encrypt, a name that was proved need not be proved again for the next order. */
  readonly #valid = new Set<string>();
  #nonces = 0;

  constructor(script: Script) {
    this.#script = script;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await readBody(request)).toString();
    const [, step = '', id = '0', index = ''] = (request.url ?? '').split('/');
    const order = this.#orders[Number(id)];
    const payload = payloadOf(body);
    const asked = { step: step as Step, names: namesOf(payload, order, index), payload, base: this.base };
    this.asked.push(asked);
    const bytes = step === 'challenge' ? undefined : this.#script(asked);
    send(
      response,
      { 'Replay-Nonce': `nonce${this.#nonces++}` },
      bytes ?? this.#usual(asked, Number(id), Number(index)),
    );
  }

  #usual(asked: Request, id: number, index: number): Bytes {
    const order = this.#orders[id];
    switch (asked.step) {
      case 'directory':
        return json(200, this.#directory());
      case 'newNonce':
        return { status: 200 };
      case 'newAccount':
        return json(201, { status: 'valid' }, { Location: `${this.base}/account/1` });
      case 'newOrder':
        return this.#newOrder(asked.names);
      case 'certificate':
        return { status: 200, body: 'nothing' };
    }
    if (order === undefined) return json(404, { type: `${NS}malformed`, detail: 'No such order' });
    if (asked.step === 'authz') return json(200, this.#authorization(order, id, index));
    if (asked.step === 'challenge') return this.#trigger(order, asked, id, index);
    if (asked.step === 'finalize') order.finalized = true;
    return json(200, this.#shown(order, id));
  }

  #directory() {
    const url = (step: Step): string => `${this.base}/${step}`;
    return { newNonce: url('newNonce'), newAccount: url('newAccount'), newOrder: url('newOrder') };
  }

  #newOrder(names: readonly string[]): Bytes {
    const id = this.#orders.push({ names, failed: new Map(), finalized: false }) - 1;
    const order = this.#orders[id] as Order;
    return json(201, this.#shown(order, id), { Location: `${this.base}/order/${id}` });
  }

  #shown(order: Order, id: number) {
    return {
      status: statusOf(order, this.#valid),
      identifiers: order.names.map((value) => ({ type: 'dns', value })),
      authorizations: order.names.map((_, index) => `${this.base}/authz/${id}/${index}`),
      finalize: `${this.base}/finalize/${id}`,
    };
  }

  #authorization(order: Order, id: number, index: number) {
    const name = order.names[index] ?? '';
    const error = order.failed.get(name);
    const status = error !== undefined ? 'invalid' : this.#valid.has(name) ? 'valid' : 'pending';
    const url = `${this.base}/challenge/${id}/${index}`;
    const told = error === undefined ? {} : { error: JSON.parse(error) as unknown };
    const token = 'a'.repeat(40) + String(index).padStart(3, '0');
    return {
      status,
      identifier: { type: 'dns', value: name },
      challenges: [{ type: 'http-01', url, status, token, ...told }],
    };
  }

  /** The script's body is what the CA found out about the name; its status says nothing here. */
  #trigger(order: Order, asked: Request, id: number, index: number): Bytes {
    const [name = ''] = asked.names;
    const verdict = this.#script(asked);
    if (verdict?.body === undefined) this.#valid.add(name);
    else order.failed.set(name, verdict.body);
    return json(200, { type: 'http-01', url: `${this.base}/challenge/${id}/${index}`, status: 'pending', token: 'a' });
  }
}

const NS = 'urn:ietf:params:acme:error:';

function statusOf({ names, failed, finalized }: Order, valid: ReadonlySet<string>): string {
  if (finalized) return 'processing';
  if (failed.size > 0) return 'invalid';
  return names.every((name) => valid.has(name)) ? 'ready' : 'pending';
}

function namesOf(payload: Request['payload'], order: Order | undefined, index: string): readonly string[] {
  if (Array.isArray(payload.identifiers)) return payload.identifiers.map(({ value }: { value: string }) => value);
  const one = order?.names[Number(index)];
  return index !== '' && one !== undefined ? [one] : (order?.names ?? []);
}

function payloadOf(body: string): Request['payload'] {
  if (body === '') return {};
  const { payload } = JSON.parse(body) as { payload: string };
  return payload === '' ? {} : (JSON.parse(Buffer.from(payload, 'base64url').toString()) as Request['payload']);
}

export function json(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Bytes {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

function send(response: ServerResponse, usual: Readonly<Record<string, string>>, bytes: Bytes): void {
  const { status = 200, headers = {}, body = '', fault } = bytes;
  if (fault === 'silence') return;
  if (fault === 'reset') return void response.socket?.resetAndDestroy();
  response.writeHead(status, { ...usual, 'Content-Length': Buffer.byteLength(body), ...headers });
  if (fault !== 'half') return void response.end(body);
  response.write(body.slice(0, body.length / 2), () => response.destroy());
}
