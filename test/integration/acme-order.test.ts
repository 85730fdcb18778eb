/**
 * Orders against the real Pebble: the way it goes, the ways it can be cut short, and what is said when it fails.
 *
 * How many orders and certificates there were is Pebble's own count. Replies get lost in a recording proxy before it.
 */

import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { Challenges } from '../../src/acme/challenges.ts';
import { makeKey } from '../../src/acme/keys.ts';
import { type OrderJournal, type OrderProgress, obtain } from '../../src/acme/order.ts';
import { AcmeError } from '../../src/acme/problem.ts';
import { openAuthority } from '../../src/acme/transport.ts';
import type { CertificateBundle } from '../../src/certificates/bundle.ts';
import { KEY_TYPES, type KeyType, specFor } from '../../src/certificates/spec.ts';
import type { Account, OrderInFlight } from '../../src/store.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';
import { type Pebble, type PebbleOptions, startPebble } from '../support/pebble.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { until } from '../support/until.ts';

const TWO = ['a.example', 'b.example'];
/** Nothing listens there: the names' machine that is down. */
const DOWN = '127.99.99.99';

/** As the Store, without a disk; and it remembers what it was told. */
class Journal implements OrderJournal {
  saved: Account | undefined;
  order: OrderInFlight | undefined;
  readonly accounts: Account[] = [];
  readonly orders: OrderInFlight[] = [];
  /** The names of each order before it was asked for. */
  readonly noted: (readonly string[])[] = [];

  async account(directory: string): Promise<Account | undefined> {
    return this.saved?.directory === directory ? this.saved : undefined;
  }
  async saveAccount(account: Account): Promise<void> {
    this.accounts.push(account);
    this.saved = account;
  }
  async noteOrder(_directory: string, domains: readonly string[]): Promise<void> {
    this.noted.push(domains);
  }
  async saveOrder(order: OrderInFlight): Promise<void> {
    this.orders.push(order);
    this.order = order;
  }
  async clearOrder(): Promise<void> {
    this.order = undefined;
  }
}

class WatchedChallenges extends Challenges {
  readonly published: string[] = [];

  override publish(token: string, keyAuthorization: string): void {
    this.published.push(token);
    super.publish(token, keyAuthorization);
  }

  /** Those still answered. */
  left(): readonly string[] {
    return this.published.filter((token) => this.answerTo(token) !== undefined);
  }
}

interface Wishes {
  readonly keyType?: KeyType;
  readonly onProgress?: (progress: OrderProgress) => void;
  readonly signal?: AbortSignal;
}

interface Client {
  readonly challenges: WatchedChallenges;
  readonly journal: Journal;
  order(domains: readonly string[], wishes?: Wishes): Promise<CertificateBundle>;
}

interface AuthorityWishes {
  readonly directoryUrl: string;
  readonly caPem?: string | undefined;
  readonly email?: string;
  readonly timeoutMs?: number;
  readonly proxyEnv?: Readonly<Record<string, string>>;
}

function clientOf(
  { directoryUrl, caPem, email, timeoutMs = 20_000, proxyEnv = {} }: AuthorityWishes,
  challenges: WatchedChallenges,
): Client {
  const journal = new Journal();
  const authority = openAuthority({
    directoryUrl,
    caPem,
    email,
    timeoutMs,
    proxyEnv,
    userAgent: 'letsencrypt-dcos/test',
  });
  return {
    ...{ challenges, journal },
    order: (domains, { keyType = 'ec256', onProgress = () => undefined, signal = AbortSignal.timeout(50_000) } = {}) =>
      obtain(specFor(domains, keyType), journal.order, { authority, challenges, journal, onProgress, signal }),
  };
}

async function serve(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createServer(answer);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function responder(t: TestContext, challenges: Challenges): Promise<number> {
  return serve(t, (request, response) => {
    const token = request.url?.replace('/.well-known/acme-challenge/', '') ?? '';
    const answer = challenges.answerTo(token);
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'text/plain' }).end(answer);
  });
}

type World = Client & { readonly pebble: Pebble; readonly proxy: RecordingProxy | undefined };

async function world(
  t: TestContext,
  options: PebbleOptions & { email?: string; proxied?: boolean } = {},
): Promise<World> {
  const challenges = new WatchedChallenges();
  const pebble = await startPebble(t, { httpPort: await responder(t, challenges), ...options });
  const { directoryUrl, caPem } = pebble;
  const proxy = options.proxied ? await startRecordingProxy(t, { target: directoryUrl, caPem }) : undefined;
  const via = proxy === undefined ? { directoryUrl, caPem } : { directoryUrl: proxy.url, caPem: proxy.caPem };
  const email = options.email === undefined ? {} : { email: options.email };
  return { ...clientOf({ ...via, ...email }, challenges), pebble, proxy };
}

async function refused(work: Promise<unknown>): Promise<AcmeError> {
  const error = await work.then(
    () => assert.fail('it succeeded'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof AcmeError, inspect(error));
  const all = `${inspect(error, { depth: 10, showHidden: true })}${JSON.stringify(error)}${error.stack}`;
  assert.doesNotMatch(all, /PRIVATE KEY|"?protected"?:|payload|signature|AxiosError/, 'an error may be logged');
  return error;
}

// The way it goes

test('two names become one certificate with a key of its own, and the account and the key are on disk first', async (t) => {
  const { order, journal, challenges, pebble, proxy } = await world(t, { proxied: true });
  const known: string[] = [];
  if (proxy) {
    proxy.hooks = {
      onRequest: (_n, { path, method }) => {
        if (method === 'POST')
          known.push(
            `${path.split('/')[1]}:${journal.saved ? 'account' : ''}${journal.noted.length}${journal.order ? '+order' : ''}`,
          );
        return 'pass';
      },
    };
  }
  const steps: OrderProgress[] = [];
  const bundle = await order(TWO, { onProgress: (progress) => steps.push(progress) });

  assert.deepEqual([...bundle.domains].sort(), TWO);
  assert.equal(bundle.commonName, 'a.example');
  const root = new X509Certificate(await pebble.rootPem());
  assert.ok(
    new X509Certificate(bundle.pem.split(/(?=-----BEGIN)/)[1] ?? '').checkIssued(root),
    'the chain came with it',
  );
  assert.ok(known.includes('sign-me-up:account0'), 'account key before newAccount');
  assert.ok(known.includes('order-plz:account1'), 'the order was counted before newOrder');
  assert.ok(
    known.filter((one) => one.startsWith('chalZ')).every((one) => one === 'chalZ:account1+order'),
    'order before challenges',
  );
  assert.deepEqual(
    journal.accounts.map(({ url }) => url !== undefined),
    [false, true],
  );
  assert.deepEqual(
    [...new Set(steps.map(({ step }) => step))],
    ['account', 'key', 'order', 'validating', 'finalizing', 'downloading'],
  );
  assert.deepEqual(steps.at(-1), { step: 'downloading', validated: 2, total: 2 });
  assert.deepEqual([pebble.orders(), pebble.issued(), challenges.left()], [1, 1, []]);
  assert.ok(journal.order, 'it stays until the bundle is stored');
});

test('every kind of key that can be set is one that the CA takes', async (t) => {
  const { order, journal } = await world(t);
  const found: string[] = [];
  for (const keyType of KEY_TYPES) {
    const { pem } = await order([`${keyType}.example`], { keyType });
    await journal.clearOrder();
    const { publicKey } = new X509Certificate(pem);
    const { modulusLength, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
    found.push(`${publicKey.asymmetricKeyType} ${namedCurve ?? modulusLength}`);
  }
  assert.deepEqual(found, ['rsa 4096', 'rsa 3072', 'rsa 2048', 'ec prime256v1', 'ec secp384r1']);
});

test('a name too long for a common name is in the certificate all the same', async (t) => {
  const { order } = await world(t);
  const long = `${'very-long-label-of-a-name'.repeat(2)}.${'another-long-label'.repeat(2)}.example`;
  assert.deepEqual((await order([long])).domains, [long]);
});

test('the second order uses the account of the first', async (t) => {
  const { order, journal, pebble } = await world(t);
  await order(['a.example']);
  await journal.clearOrder();
  await order(['b.example']);
  assert.equal(pebble.counts().newAccount, 1);
  assert.equal(pebble.orders(), 2);
});

test('a CA that has forgotten our account gets it again, with the same key', async (t) => {
  const { order, journal } = await world(t);
  await order(['a.example']);
  await journal.clearOrder();
  const { saved } = journal;
  assert.ok(saved?.url);
  journal.saved = { ...saved, url: `${saved.url}0` };
  await order(['b.example']);
  assert.deepEqual(journal.saved, saved);
});

test('an e-mail address that the CA does not like is left out', async (t) => {
  const { order, pebble } = await world(t, { email: 'not an address' });
  await order(['a.example']);
  assert.ok(pebble.counts().newAccount >= 2, 'refused first');
});

test("Pebble's defaults (slow validation, nonces refused) are no obstacle", async (t) => {
  const { order, pebble } = await world(t, { strictness: 'defaults' });
  assert.equal((await order(['a.example', 'b.example', 'c.example'])).domains.length, 3);
  assert.equal(pebble.orders(), 1);
});

test('forty nonces refused out of a hundred are no obstacle either', async (t) => {
  const { order, pebble } = await world(t, { nonceReject: 40 });
  const names = Array.from({ length: 10 }, (_, n) => `n${n}.example`);
  assert.equal((await order(names)).domains.length, 10);
  assert.equal(pebble.orders(), 1);
});

for (const count of [1, 10, 100]) {
  test(`an order of ${count}: two requests a name, five others, nonces and looks at the order; four connections`, async (t) => {
    const { challenges, pebble } = await world(t);
    const forward = await startForwardProxy(t);
    const { directoryUrl, caPem } = pebble;
    const client = clientOf({ directoryUrl, caPem, proxyEnv: { HTTPS_PROXY: forward.url } }, challenges);
    const names = Array.from({ length: count }, (_, n) => `n${n}.example`);
    const began = performance.now();
    assert.equal((await client.order(names)).domains.length, count);
    const tookMs = performance.now() - began;
    const { total, newNonce, order: looks } = pebble.counts();
    assert.ok(total - looks - newNonce <= 2 * count + 5, `${total} requests, ${newNonce} newNonce, ${looks} looks`);
    assert.ok(newNonce <= 5, `${newNonce} newNonce`);
    assert.ok(looks <= 8 + tookMs / 100, `${looks} looks in ${tookMs} ms`);
    assert.ok(forward.hosts.length <= 4, `${forward.hosts.length} connections`);
  });
}

// Cut short

const cuts: readonly OrderProgress['step'][] = ['account', 'key', 'order', 'validating', 'finalizing', 'downloading'];
for (const step of cuts) {
  test(`stopped at "${step}", the next process finishes with the same order`, async (t) => {
    const { order, journal, challenges, pebble } = await world(t);
    const stop = new AbortController();
    const onProgress = (progress: OrderProgress): void => {
      if (progress.step === step) stop.abort(new Error('stopped'));
    };
    await assert.rejects(order(TWO, { onProgress, signal: stop.signal }));
    assert.deepEqual(challenges.left(), []);

    const bundle = await order(TWO);
    assert.deepEqual([pebble.orders(), pebble.issued()], [1, 1]);
    assert.ok(bundle.holdsKey(journal.order?.keyPem ?? ''));
  });
}

const losses: readonly { name: string; path: RegExp }[] = [
  { name: 'an authorization', path: /^\/authZ\// },
  { name: 'a challenge', path: /^\/chalZ\// },
  { name: 'a look at the order', path: /^\/my-order\// },
  { name: 'the finalize request', path: /^\/finalize-order\// },
  { name: 'the certificate', path: /^\/certZ\// },
];
for (const { name, path } of losses) {
  test(`the reply to ${name} is lost: the order goes on, and nothing is asked for twice`, async (t) => {
    const { order, pebble, proxy } = await world(t, { proxied: true });
    assert.ok(proxy);
    let lost = false;
    proxy.hooks = {
      onReply: (_n, request) => {
        if (lost || !path.test(request.path)) return 'pass';
        lost = true;
        return 'drop';
      },
    };
    assert.equal((await order(TWO)).domains.length, 2);
    assert.ok(lost);
    assert.deepEqual([pebble.orders(), pebble.issued(), pebble.counts().finalize], [1, 1, 1]);
  });
}

test('the CA is away in the middle: an error now, the same order later', async (t) => {
  const { order, journal, pebble, proxy } = await world(t, { proxied: true });
  assert.ok(proxy);
  proxy.hooks = { onRequest: (_n, { path }) => (path.startsWith('/finalize-order/') ? 'drop' : 'pass') };
  const error = await refused(order(TWO));
  assert.ok(error.undecided);
  assert.ok(journal.order);

  proxy.hooks = {};
  await order(TWO);
  assert.deepEqual([pebble.orders(), pebble.issued()], [1, 1]);
});

test('a clock that is weeks ahead: the order that was begun is finished, and none is paid for anew', async (t) => {
  const { order, pebble } = await world(t);
  const stop = new AbortController();
  const onProgress = ({ step }: OrderProgress): void => void (step === 'downloading' && stop.abort());
  await assert.rejects(order(TWO, { onProgress, signal: stop.signal }));

  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 30 * 24 * 60 * 60_000 });
  assert.equal((await order(TWO)).domains.length, 2);
  assert.deepEqual([pebble.orders(), pebble.issued()], [1, 1]);
});

const useless: readonly { name: string; change: (saved: OrderInFlight) => OrderInFlight; orders: number }[] = [
  {
    name: 'the CA does not know it any more',
    change: (o) => ({ ...o, url: o.url.replace(/[^/]*$/, 'gone') }),
    orders: 2,
  },
  { name: 'it is for other names', change: (o) => ({ ...o, domains: ['a.example'] }), orders: 2 },
  { name: 'it is of another CA', change: (o) => ({ ...o, directory: 'https://other.example/dir' }), orders: 2 },
  {
    name: 'its key cannot be read: the order is good for another',
    change: (o) => ({ ...o, keyPem: 'garbage' }),
    orders: 1,
  },
];
for (const { name, change, orders } of useless) {
  test(`a saved order (${name})`, async (t) => {
    const { order, journal, pebble } = await world(t);
    const stop = new AbortController();
    const onProgress = ({ step }: OrderProgress): void => void (step === 'validating' && stop.abort());
    await assert.rejects(order(TWO, { onProgress, signal: stop.signal }));
    assert.ok(journal.order);
    journal.order = change(journal.order);

    const bundle = await order(TWO);
    assert.equal(bundle.domains.length, 2);
    assert.ok(bundle.holdsKey(journal.order?.keyPem ?? ''));
    assert.equal(pebble.orders(), orders);
  });
}

test('a change of KEY_TYPE is heeded by an order that is not finalized yet', async (t) => {
  const { order, pebble } = await world(t);
  const stop = new AbortController();
  const onProgress = ({ step }: OrderProgress): void => void (step === 'validating' && stop.abort());
  await assert.rejects(order(TWO, { onProgress, signal: stop.signal }));
  const { pem } = await order(TWO, { keyType: 'ec384' });
  assert.equal(new X509Certificate(pem).publicKey.asymmetricKeyDetails?.namedCurve, 'secp384r1');
  assert.equal(pebble.orders(), 1);
});

// What is said when it fails

test('the names that failed are told, each with what the CA said and the cure, and the order is forgotten', async (t) => {
  const { order, journal, challenges, pebble } = await world(t);
  await Promise.all(['bad.example', 'worse.example'].map((name) => pebble.resolve(name, DOWN)));
  const error = await refused(order(['a.example', 'bad.example', 'b.example', 'worse.example']));

  assert.deepEqual([...error.domains].sort(), ['bad.example', 'worse.example']);
  assert.match(
    error.message,
    /^ACME: \S+: connection: .*connection refused.*see that marathon-lb runs on the machine that/,
  );
  assert.deepEqual([challenges.left(), journal.order, pebble.issued()], [[], undefined, 0]);
});

test('the CA goes away before its verdict is read: the next try reads it, and orders nothing', async (t) => {
  const { order, journal, pebble, proxy } = await world(t, { proxied: true });
  assert.ok(proxy);
  await pebble.resolve('bad.example', DOWN);
  let triggered = false;
  proxy.hooks = {
    onRequest: (_n, { path }) => {
      triggered ||= path.startsWith('/chalZ/');
      return triggered && /^\/(my-order|authZ)\//.test(path) ? 'drop' : 'pass';
    },
  };
  assert.ok((await refused(order(['bad.example']))).undecided);
  assert.ok(journal.order);
  await until(() => /set INVALID|Err:|connection refused/i.test(pebble.log()), 'the CA to have come in vain');

  proxy.hooks = {};
  const error = await refused(order(['bad.example']));
  assert.deepEqual(error.domains, ['bad.example']);
  assert.deepEqual([pebble.orders(), journal.order], [1, undefined]);
});

test('after a name has failed, the order for the others proves none of them again', async (t) => {
  const { order, challenges, pebble } = await world(t, { authzReuse: 100 });
  await pebble.resolve('bad.example', DOWN);
  const good = Array.from({ length: 9 }, (_, n) => `n${n}.example`);
  const error = await refused(order(['bad.example', ...good]));
  assert.deepEqual(error.domains, ['bad.example']);
  assert.equal(challenges.published.length, 10, 'all were tried, although the first one had failed');
  const bundle = await order(good);
  assert.deepEqual([...bundle.domains].sort(), good);
  assert.equal(challenges.published.length, 10, 'no name was proved twice');
});

test('somebody else answers for a name: the cure names the labels', async (t) => {
  const { order, challenges } = await world(t);
  challenges.answerTo = () => 'hello';
  const error = await refused(order(['a.example']));
  assert.equal(error.type, 'unauthorized');
  assert.match(error.message, /^ACME: a\.example: unauthorized: .*HAPROXY_0_VHOST/);
});

test('a name that the CA refuses by policy is told before there is an order', async (t) => {
  const { order, journal, pebble } = await world(t, { blocked: ['blocked.example'] });
  const error = await refused(order(['a.example', 'blocked.example']));
  assert.equal(error.type, 'rejectedIdentifier');
  assert.match(error.message, /^ACME: blocked\.example: rejectedIdentifier: .*take the name out of the labels$/);
  assert.deepEqual([journal.noted.length, journal.orders, pebble.orders()], [1, [], 0]);
});

const closed = async (t: TestContext): Promise<number> => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  t.diagnostic(`nothing listens on ${port}`);
  return port;
};

const unreachable: readonly {
  name: string;
  wishes: (t: TestContext) => Promise<AuthorityWishes>;
  says: RegExp;
  code?: string;
}[] = [
  {
    name: 'a CA that is not there',
    wishes: async (t) => ({ directoryUrl: `https://127.0.0.1:${await closed(t)}/dir` }),
    says: /^ACME: newAccount at 127\.0\.0\.1:\d+: transport: .*ECONNREFUSED.*\. It is tried again by itself.* the firewall lets .*HTTPS_PROXY/,
    code: 'ECONNREFUSED',
  },
  {
    name: 'a host name that does not exist',
    wishes: async () => ({ directoryUrl: 'https://ca.invalid/dir' }),
    says: /transport: .*(ENOTFOUND|EAI_AGAIN).*LETSENCRYPT_SERVER_URL and the DNS/,
  },
  {
    name: 'a certificate that is not trusted',
    wishes: async (t) => ({ directoryUrl: (await startPebble(t)).directoryUrl }),
    says: /transport: .*self-signed certificate.*set ACME_CA_FILE/,
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  },
  {
    name: 'an ACME_CA_FILE without a certificate',
    wishes: async () => ({ directoryUrl: 'https://ca.invalid/dir', caPem: 'garbage\n-----BEGIN CERTIFICATE-----\nx' }),
    says: /ACME_CA_FILE holds no certificate that can be read/,
  },
  {
    name: 'a web page where the directory should be',
    wishes: async (t) => {
      const port = await serve(t, (_request, response) =>
        response.setHeader('content-type', 'text/html').end('<h1>Hi</h1>'),
      );
      return { directoryUrl: `http://127.0.0.1:${port}/` };
    },
    says: /unreadable: .*Check that LETSENCRYPT_SERVER_URL is the URL of an ACME v2 directory/,
  },
  {
    name: 'a redirect',
    wishes: async (t) => {
      const port = await serve(t, (_request, response) =>
        response.writeHead(301, { location: 'https://new.example/dir' }).end(),
      );
      return { directoryUrl: `http://127.0.0.1:${port}/` };
    },
    says: /HTTP 301: redirects to https:\/\/new\.example\/dir/,
  },
  {
    name: 'an overloaded CA, which tells when to come again',
    wishes: async (t) => {
      const port = await serve(t, (_request, response) =>
        response.writeHead(503, { 'retry-after': '3600' }).end('busy'),
      );
      return { directoryUrl: `http://127.0.0.1:${port}/` };
    },
    says: /HTTP 503: busy\. Nothing has to be done unless it lasts: the CA, or a proxy/,
  },
  {
    name: 'a CA that never answers',
    wishes: async (t) => ({ directoryUrl: `http://127.0.0.1:${await serve(t, () => undefined)}/`, timeoutMs: 200 }),
    says: /transport: ETIMEDOUT: no answer within 0\.2 s/,
    code: 'ETIMEDOUT',
  },
  {
    name: 'a proxy that is not there',
    wishes: async (t) => ({
      directoryUrl: 'https://ca.invalid/dir',
      proxyEnv: { HTTPS_PROXY: `http://127.0.0.1:${await closed(t)}` },
    }),
    says: /ECONNREFUSED/,
    code: 'ECONNREFUSED',
  },
];
for (const { name, wishes, says, code } of unreachable) {
  test(`${name}: said in one sentence, with what to look at`, async (t) => {
    const { order, journal } = clientOf(await wishes(t), new WatchedChallenges());
    const error = await refused(order(['a.example']));
    assert.match(error.message, says);
    if (code !== undefined) assert.equal(error.code, code);
    assert.ok(journal.saved?.keyPem, 'the account key is kept for the next try');
    if (error.status === 503) assert.ok(Number(error.retryAfter) > Date.now() + 3_500_000);
  });
}

test('a CA that hangs does not hold up the end of the process', async (t) => {
  const directoryUrl = `http://127.0.0.1:${await serve(t, () => stop.abort(new Error('SIGTERM')))}/`;
  const stop = new AbortController();
  const { order } = clientOf({ directoryUrl }, new WatchedChallenges());
  await assert.rejects(order(['a.example'], { signal: stop.signal }), /SIGTERM/);
});

// Through a proxy

test('HTTPS_PROXY is the way to the CA, by CONNECT; NO_PROXY is heeded; only what is handed in counts', async (t) => {
  const { challenges, pebble } = await world(t);
  const forward = await startForwardProxy(t);
  const directoryUrl = pebble.directoryUrl.replace('127.0.0.1', 'localhost');
  const { host } = new URL(directoryUrl);
  const { caPem } = pebble;

  const through = clientOf({ directoryUrl, caPem, proxyEnv: { HTTPS_PROXY: forward.url } }, challenges);
  assert.equal((await through.order(TWO)).domains.length, 2);
  assert.deepEqual([...new Set(forward.hosts)], [host]);
  assert.ok(forward.hosts.length <= 4, `${forward.hosts.length} tunnels: kept alive`);

  const before = forward.hosts.length;
  process.env.HTTPS_PROXY = 'http://127.0.0.1:1';
  t.after(() => delete process.env.HTTPS_PROXY);
  assert.equal((await clientOf({ directoryUrl, caPem }, challenges).order(TWO)).domains.length, 2);
  const past = clientOf(
    { directoryUrl, caPem, proxyEnv: { HTTPS_PROXY: forward.url, NO_PROXY: 'localhost' } },
    challenges,
  );
  assert.equal((await past.order(TWO)).domains.length, 2);
  assert.equal(forward.hosts.length, before);
});

// What we rely on in others

test('acme-client still has inside what we take over', async () => {
  const acme = await import('acme-client');
  const accountKey = await makeKey('ec256');
  const client = new acme.Client({ directoryUrl: 'https://ca.invalid/', accountKey });
  const { http } = client as unknown as { http: Record<string, unknown> };
  for (const name of ['request', 'getNonce', 'getDirectory', 'signedRequest'])
    assert.equal(typeof http[name], 'function', name);
  assert.equal(http.maxBadNonceRetries, 5);
  assert.ok(Buffer.isBuffer(http.accountKey));
});
