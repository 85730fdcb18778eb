/**
 * The yardstick: the least that a Node client can do for a certificate. Only the necessary requests, by node:https; no
 * settings, no state, no errors but the refused nonce, no mercy. Not a product.
 *
 * `node floor.mjs DIRECTORY CA_FILE PORT KEY_TYPE OUT name…`, with a new account each time.
 */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { Agent, request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { certificateRequest } from '../src/acme/csr.ts';
import { makeKey } from '../src/acme/keys.ts';
import { type KeyType, specFor } from '../src/certificates/spec.ts';

const [directoryUrl = '', caFile = '', port = '', keyType = '', out = '', ...names] = process.argv.slice(2);

interface Reply {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 4, ca: readFileSync(caFile) });

function exchange(method: string, url: string, body?: string): Promise<Reply> {
  const headers = body === undefined ? {} : { 'Content-Type': 'application/jose+json' };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ headers: response.headers, text: Buffer.concat(chunks).toString() }));
    });
    sent.on('error', reject).end(body);
  });
}

const b64 = (data: string | Buffer): string => Buffer.from(data).toString('base64url');
const accountKey = createPrivateKey(await makeKey('ec256'));
const { crv, kty, x, y } = createPublicKey(accountKey).export({ format: 'jwk' });
const jwk = { crv, kty, x, y };
const thumbprint = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url');
const nonces: string[] = [];
let account: string | undefined;

async function post(url: string, payload: unknown): Promise<Reply> {
  for (;;) {
    const nonce = nonces.pop() ?? (await exchange('HEAD', directory.newNonce)).headers['replay-nonce'];
    const head = b64(JSON.stringify({ alg: 'ES256', nonce, url, ...(account ? { kid: account } : { jwk }) }));
    const body = payload === undefined ? '' : b64(JSON.stringify(payload));
    const signature = sign('sha256', Buffer.from(`${head}.${body}`), { key: accountKey, dsaEncoding: 'ieee-p1363' });
    const jws = JSON.stringify({ protected: head, payload: body, signature: b64(signature) });
    const reply = await exchange('POST', url, jws);
    const fresh = reply.headers['replay-nonce'];
    if (typeof fresh === 'string') nonces.push(fresh);
    if (!reply.text.includes('urn:ietf:params:acme:error:badNonce')) return reply;
  }
}

async function ask<T>(url: string, payload?: unknown): Promise<T> {
  return JSON.parse((await post(url, payload)).text) as T;
}

interface Order {
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate: string;
}
interface Challenge {
  readonly type: string;
  readonly url: string;
  readonly token: string;
}

async function waitFor(url: string, ...statuses: readonly string[]): Promise<Order> {
  for (let waitMs = 4; ; waitMs = Math.min(waitMs * 1.6, 250)) {
    const order = await ask<Order>(url);
    if (statuses.includes(order.status)) return order;
    if (order.status === 'invalid') throw new Error('the order is invalid');
    await sleep(waitMs);
  }
}

const answers = new Map<string, string>();
const listener = createServer((asked, reply) => reply.end(answers.get(asked.url?.split('/').pop() ?? '') ?? ''));
await new Promise<void>((listening) => listener.listen(Number(port), '127.0.0.1', listening));

const key = makeKey(keyType as KeyType);
const directory = JSON.parse((await exchange('GET', directoryUrl)).text) as Record<
  'newNonce' | 'newAccount' | 'newOrder',
  string
>;
account = String((await post(directory.newAccount, { termsOfServiceAgreed: true })).headers.location);
const placed = await post(directory.newOrder, { identifiers: names.map((value) => ({ type: 'dns', value })) });
const orderUrl = String(placed.headers.location);
const { authorizations, finalize } = JSON.parse(placed.text) as Order;
const open = [...authorizations];
await Promise.all(
  Array.from({ length: 4 }, async () => {
    for (let url = open.pop(); url !== undefined; url = open.pop()) {
      const { challenges } = await ask<{ readonly challenges: readonly Challenge[] }>(url);
      const http = challenges.find(({ type }) => type === 'http-01') as Challenge;
      answers.set(http.token, `${http.token}.${thumbprint}`);
      await post(http.url, {});
    }
  }),
);
await waitFor(orderUrl, 'ready');
const keyPem = await key;
await post(finalize, { csr: b64(certificateRequest(specFor(names, keyType as KeyType), keyPem)) });
const { certificate } = await waitFor(orderUrl, 'valid');
writeFileSync(out, (await post(certificate, undefined)).text + keyPem, { mode: 0o600 });
process.exit(0);
