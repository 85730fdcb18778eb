/**
 * Run by preflight.test.ts in a network namespace. A row is a name: its records, what its server does, and the verdict.
 * All names of one kind of CA are looked at together, as the program does it.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import { identitiesAt } from '../../src/acme/identities.ts';
import type { PreflightLook, PreflightVerdict } from '../../src/acme/preflight.ts';
import { Stack } from '../demo/disposer.ts';
import { aRecord, caaRecord, startDns } from '../support/dns-server.ts';
import { AT, type Behaviour, type Stage, startStage } from '../support/preflight-stage.ts';

interface Row {
  readonly what: string;
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly cname?: string;
  readonly caa?: readonly { tag: string; value: string }[];
  readonly servfail?: true;
  readonly behaves?: Behaviour;
  readonly kind: PreflightVerdict['kind'];
  readonly why?: RegExp;
  readonly cure?: RegExp;
}

const PATH = '/.well-known/acme-challenge/';
const ours = { a: [AT.ours] };
const wild = { a: [AT.wild] };
const ACCOUNT = 'https://acme-v02.api.letsencrypt.org/acme/acct/7';

const answerTo = (request: http.IncomingMessage, { challenges }: Stage): string =>
  challenges.answerTo(request.url?.split('/').at(-1) ?? '') ?? '';
const right: Behaviour = (request, response, stage) => void response.end(answerTo(request, stage));
const redirect =
  (status: number, to: (token: string) => string | undefined): Behaviour =>
  (request, response) => {
    const location = to(request.url?.split('/').at(-1) ?? '');
    response.writeHead(status, location === undefined ? {} : { Location: location }).end();
  };
/** Once to the token of another name, where our own listener is. */
const onwards = (status: number): Behaviour => redirect(status, (token) => `http://target.example.net${PATH}${token}`);
/** As many redirects to itself, then the right answer. */
const hops =
  (count: number): Behaviour =>
  (request, response, stage) => {
    const nth = Number(/^\/hop(\d+)\//.exec(request.url ?? '')?.[1] ?? 0);
    const token = request.url?.split('/').at(-1);
    if (nth === count) right(request, response, stage);
    else response.writeHead(302, { Location: `/hop${nth + 1}/${token}` }).end();
  };
const raw =
  (bytes: string): Behaviour =>
  ({ socket }) =>
    void socket.end(bytes, 'latin1');
/** Until the other side has had enough. */
const endless =
  (head: string, more: string): Behaviour =>
  ({ socket }) => {
    socket.write(head);
    const flow = (): void => void (socket.writable && socket.write(more, () => setImmediate(flow)));
    flow();
  };
function* lots(): Generator<Buffer> {
  for (let nth = 0; nth < 1024; nth++) yield Buffer.alloc(1 << 16, 'x');
}
const drip: Behaviour = (_request, response) => {
  response.writeHead(200);
  const timer = setInterval(() => response.write('x'), 100);
  response.once('close', () => clearInterval(timer));
};

const PUBLIC: readonly Row[] = [
  // Addresses
  { what: 'A alone leads to us', ...ours, kind: 'good' },
  { what: 'AAAA alone leads to us', aaaa: [AT.ours6], kind: 'good' },
  { what: 'both lead to us', ...ours, aaaa: [AT.ours6], kind: 'good' },
  {
    what: 'AAAA leads elsewhere',
    ...ours,
    aaaa: [AT.wild6],
    kind: 'bad',
    why: /comes over IPv4, but not over IPv6: http:\/\/\S+ at 2a00:45::2: HTTP 404 Not Found, text\/html, Server: wild\/1/,
    cure: /Correct the AAAA record or remove it/,
  },
  { what: 'AAAA refuses, A leads to us', ...ours, aaaa: [AT.closed6], kind: 'good' },
  {
    what: 'AAAA refuses, A leads elsewhere',
    ...wild,
    aaaa: [AT.closed6],
    kind: 'bad',
    why: /at 45\.45\.45\.2: HTTP 404/,
  },
  { what: 'A leads elsewhere, AAAA to us', ...wild, aaaa: [AT.ours6], kind: 'unknown', why: /not over IPv4/ },
  {
    what: 'AAAA redirects to where nothing listens, A leads to us',
    ...ours,
    aaaa: [AT.wild6],
    behaves: redirect(302, () => 'http://closed.example.net/'),
    kind: 'unknown',
    why: /not over IPv6: cannot connect to/,
  },
  {
    what: 'AAAA takes the connection and says nothing, A leads to us',
    ...ours,
    aaaa: [AT.wild6],
    behaves: () => undefined,
    kind: 'unknown',
    why: /but not over IPv6: 2a00:45::2: no whole answer within 5 s/,
  },
  {
    what: 'AAAA refuses, and A redirects to https of the same name: no CA tries IPv4 then',
    ...wild,
    aaaa: [AT.closed6],
    behaves: redirect(
      301,
      (token) =>
        `https://${nameOf('AAAA refuses, and A redirects to https of the same name: no CA tries IPv4 then')}/${token}`,
    ),
    kind: 'unknown',
    why: /cannot connect to \[2a00:45::3\]:443: ECONNREFUSED/,
  },
  {
    what: 'nothing listens',
    a: [AT.closed],
    kind: 'unknown',
    why: /cannot connect to 45\.45\.45\.3:80: ECONNREFUSED/,
    cure: /the way from inside a cluster/,
  },
  { what: 'nothing comes back', a: [AT.silent], kind: 'unknown', why: /45\.45\.45\.4:80: no connection within 2 s/ },
  { what: 'an alias of a name that leads to us', cname: 'target.example.net', kind: 'good' },
  {
    what: 'an alias of a name that leads elsewhere',
    cname: 'elsewhere.example.net',
    kind: 'bad',
    why: /\(an alias of elsewhere\.example\.net\)/,
  },
  {
    what: 'neither A nor AAAA',
    kind: 'bad',
    why: /has neither an A nor an AAAA record/,
    cure: /Make an A or AAAA record/,
  },
  {
    what: 'name servers that fail',
    servfail: true,
    kind: 'unknown',
    why: /DNS answers SERVFAIL/,
    cure: /PREFLIGHT_RESOLVERS/,
  },
  {
    what: 'a private address',
    a: [AT.private],
    kind: 'bad',
    why: /leads to 10\.9\.9\.1, which no CA can reach/,
    cure: /PREFLIGHT_RESOLVERS/,
  },
  { what: 'a private address and a public one', a: [AT.inside, AT.ours], kind: 'good' },
  { what: 'the address of this host', a: [AT.loopback], kind: 'bad', why: /leads to 127\.0\.0\.1/ },
  { what: 'the metadata of a cloud', a: [AT.metadata], kind: 'bad', why: /leads to 169\.254\.169\.254/ },
  { what: 'a unique local address', aaaa: ['fd00::1'], kind: 'bad', why: /fd00::1/ },

  // Answers
  {
    what: 'another page',
    ...wild,
    behaves: (_, response) => void response.end('welcome'),
    kind: 'bad',
    why: /HTTP 200 OK, not our answer$/,
    cure: /HAPROXY_0_VHOST/,
  },
  { what: 'not found', ...wild, kind: 'bad', why: /HTTP 404 Not Found, text\/html, Server: wild\/1, not our answer$/ },
  {
    what: 'the right answer and white space',
    ...wild,
    behaves: (request, response, stage) => void response.end(`${answerTo(request, stage)} \t\r\n`),
    kind: 'good',
  },
  {
    what: 'the right answer, and 127 bytes in all',
    ...wild,
    behaves: (request, response, stage) => void response.end(answerTo(request, stage).padEnd(127)),
    kind: 'good',
  },
  {
    what: 'the right answer, and 128 bytes in all',
    ...wild,
    behaves: (request, response, stage) => void response.end(answerTo(request, stage).padEnd(128)),
    kind: 'bad',
  },
  {
    what: 'the right answer after white space',
    ...wild,
    behaves: (request, response, stage) => void response.end(` ${answerTo(request, stage)}`),
    kind: 'bad',
  },
  {
    what: 'the right answer with 201',
    ...wild,
    behaves: (request, response, stage) => void response.writeHead(201).end(answerTo(request, stage)),
    kind: 'bad',
    why: /HTTP 201/,
  },
  {
    what: 'the token in the place of the answer',
    ...wild,
    behaves: (request, response) => void response.end(request.url?.split('/').at(-1)),
    kind: 'bad',
  },
  {
    what: '64 MiB',
    ...wild,
    behaves: (_, response) => void Readable.from(lots()).pipe(response),
    kind: 'bad',
    why: /HTTP 200 OK/,
  },
  {
    what: 'headers without end',
    ...wild,
    behaves: endless('HTTP/1.1 200 OK\r\n', `X: ${'x'.repeat(1000)}\r\n`),
    kind: 'bad',
    why: /HPE_HEADER_OVERFLOW/,
  },
  {
    what: 'a body without end, a byte at a time',
    ...wild,
    behaves: drip,
    kind: 'unknown',
    why: /no whole answer within 5 s/,
    cure: /a CA waits about ten seconds/,
  },
  { what: 'no HTTP', ...wild, behaves: raw('SSH-2.0-OpenSSH_9.6\r\n'), kind: 'bad', why: /HPE_/ },
  {
    what: 'the connection closed without a word',
    ...wild,
    behaves: ({ socket }) => void socket.destroy(),
    kind: 'unknown',
    why: /ECONNRESET/,
  },
  {
    what: 'bytes that steer a terminal',
    ...wild,
    behaves: raw('HTTP/1.1 404 \x1b]0;x\x07\x9b31m\r\nServer: \xff\x80\r\n\r\n'),
    kind: 'bad',
    why: /^[\x20-\x7e…]+$/,
  },

  // Redirects
  ...[301, 302, 307, 308].map(
    (status): Row => ({
      what: `${status} to a name that leads to us`,
      ...wild,
      behaves: onwards(status),
      kind: 'good',
    }),
  ),
  ...[300, 303, 304].map(
    (status): Row => ({
      what: `${status} is not followed`,
      ...wild,
      behaves: onwards(status),
      kind: 'bad',
      why: new RegExp(`HTTP ${status}`),
    }),
  ),
  { what: 'a relative redirect', ...wild, behaves: hops(1), kind: 'good' },
  { what: 'ten redirects', ...wild, behaves: hops(10), kind: 'good' },
  { what: 'eleven redirects', ...wild, behaves: hops(11), kind: 'bad', why: /after more than 10 redirects/ },
  {
    what: 'a circle',
    ...wild,
    behaves: (request, response) => void response.writeHead(302, { Location: request.url }).end(),
    kind: 'bad',
    why: /in a circle/,
  },
  {
    what: 'a redirect to nowhere',
    ...wild,
    behaves: redirect(302, () => undefined),
    kind: 'bad',
    why: /there is no Location/,
  },
  {
    what: 'a redirect that is no URL',
    ...wild,
    behaves: redirect(302, () => 'http://[x/'),
    kind: 'bad',
    why: /which is no address/,
  },
  {
    what: 'port 8080',
    ...wild,
    behaves: redirect(302, (token) => `http://target.example.net:8080/${token}`),
    kind: 'bad',
    why: /ports 80 and 443 only/,
    cure: /Exempt/,
  },
  {
    what: 'ftp',
    ...wild,
    behaves: redirect(302, () => 'ftp://target.example.net/x'),
    kind: 'bad',
    why: /neither http nor https/,
  },
  {
    what: 'an address, not a name',
    ...wild,
    behaves: redirect(302, (token) => `http://${AT.ours}${PATH}${token}`),
    kind: 'bad',
    why: /to names only/,
  },
  {
    what: 'a path of more than 2000 bytes',
    ...wild,
    behaves: redirect(302, () => `/${'x'.repeat(2000)}`),
    kind: 'bad',
    why: /a path of more than 2000 bytes/,
  },
  { what: 'https with any certificate', ...wild, behaves: toHttps(right), kind: 'good' },
  {
    what: 'https where nothing listens',
    a: [AT.plain],
    behaves: toHttps(right),
    kind: 'bad',
    why: /redirects to https:\/\/\S+: cannot connect to 45\.45\.45\.6:443: ECONNREFUSED/,
  },
  { what: 'https of TLS 1.1', a: [AT.old], behaves: toHttps(right), kind: 'bad', why: /ERR_SSL|EPROTO/ },
  {
    what: 'a name without an address',
    ...wild,
    behaves: redirect(302, () => 'http://nowhere.example.net/'),
    kind: 'bad',
    why: /nowhere\.example\.net, which has no address/,
  },
  {
    what: 'a name whose DNS fails',
    ...wild,
    behaves: redirect(302, () => 'http://broken.example.net/'),
    kind: 'unknown',
    why: /DNS answers SERVFAIL/,
  },
  { what: 'HAProxy with a redirect to https', a: [AT.haproxy], kind: 'good' },
  ...[
    'http://169.254.169.254/latest/meta-data/',
    'http://2852039166/',
    'http://0x7f.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
  ].map(
    (to): Row => ({
      what: `a redirect to ${to}`,
      ...wild,
      behaves: redirect(302, () => to),
      kind: 'bad',
      why: /to names only/,
    }),
  ),
  ...['metadata', 'inside', 'loopback'].map(
    (where): Row => ({
      what: `a redirect to a name that leads to ${where}`,
      ...wild,
      behaves: redirect(302, () => `http://${where}.example.net/`),
      kind: 'bad',
      why: /an address that is not followed: a public CA cannot get there/,
    }),
  ),

  // Secrets
  {
    what: 'the token in a header',
    ...wild,
    behaves: (request, response) => void response.writeHead(404, { Server: request.url ?? '' }).end(),
    kind: 'bad',
  },
  {
    what: 'the token in a host name',
    ...wild,
    behaves: redirect(302, (token) => `http://${token}.example.net:81/`),
    kind: 'bad',
    why: /http:\/\/….example\.net:81/,
  },
  {
    what: 'the answer in a header',
    ...wild,
    behaves: (request, response, stage) => void response.writeHead(404, { Server: answerTo(request, stage) }).end(),
    kind: 'bad',
  },
  {
    what: 'a password in a redirect',
    ...wild,
    behaves: redirect(302, () => 'http://user:hunter2@target.example.net:81/'),
    kind: 'bad',
    why: /to http:\/\/target\.example\.net:81/,
  },

  // CAA
  { what: 'CAA for this CA', ...ours, caa: [{ tag: 'issue', value: 'letsencrypt.org' }], kind: 'good' },
  {
    what: 'CAA for another CA',
    ...ours,
    caa: [{ tag: 'issue', value: 'ca.example.net' }],
    kind: 'bad',
    why: /issue "ca\.example\.net" does not name letsencrypt\.org/,
    cure: /0 issue "letsencrypt\.org" at/,
  },
  {
    what: 'CAA for both',
    ...ours,
    caa: [
      { tag: 'issue', value: 'ca.example.net' },
      { tag: 'issue', value: 'LetsEncrypt.org' },
    ],
    kind: 'good',
  },
  { what: 'CAA for nobody', ...ours, caa: [{ tag: 'issue', value: ';' }], kind: 'bad', why: /allows no CA/ },
  { what: 'CAA for wildcards only', ...ours, caa: [{ tag: 'issuewild', value: ';' }], kind: 'good' },
  {
    what: 'CAA for our account',
    ...ours,
    caa: [{ tag: 'issue', value: `letsencrypt.org; accounturi=${ACCOUNT}` }],
    kind: 'good',
  },
  {
    what: 'CAA for another account',
    ...ours,
    caa: [{ tag: 'issue', value: `letsencrypt.org; accounturi=${ACCOUNT}1` }],
    kind: 'bad',
    why: /names another account than ours/,
    cure: /Put accounturi=\S+ into the CAA record at .*, or take accounturi out of it/,
  },
  {
    what: 'CAA for another way of proof',
    ...ours,
    caa: [{ tag: 'issue', value: 'letsencrypt.org; validationmethods=dns-01' }],
    kind: 'bad',
    why: /does not allow http-01/,
  },
  {
    what: 'CAA where nothing can be connected to',
    a: [AT.closed],
    caa: [{ tag: 'issue', value: ';' }],
    kind: 'bad',
    why: /allows no CA/,
  },
];

const PRIVATE: readonly Row[] = [
  { what: 'a private address of a private CA', a: [AT.private], kind: 'good' },
  { what: 'the metadata of a cloud and a private CA', a: [AT.metadata], kind: 'bad', why: /no CA can reach/ },
  {
    what: 'a redirect to the load balancer and a private CA',
    ...wild,
    behaves: redirect(302, (token) => `http://balancer.example.net${PATH}${token}`),
    kind: 'good',
  },
  {
    what: 'a redirect to a private address and a private CA',
    ...wild,
    behaves: redirect(302, () => 'http://inside.example.net/'),
    kind: 'unknown',
    why: /neither public nor the load balancer's/,
  },
  {
    what: 'a redirect to the metadata and a private CA',
    ...wild,
    behaves: redirect(302, () => 'http://metadata.example.net/'),
    kind: 'unknown',
    why: /not followed/,
  },
  { what: 'CAA and a private CA that goes by none', ...ours, caa: [{ tag: 'issue', value: ';' }], kind: 'good' },
];

function toHttps(then: Behaviour): Behaviour {
  return (request, response, stage) => {
    if (request.socket instanceof tls.TLSSocket) then(request, response, stage);
    else response.writeHead(301, { Location: `https://${request.headers.host}${request.url}` }).end();
  };
}

function nameOf(what: string): string {
  return `${what
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60)
    .replace(/-$/, '')}.example.net`;
}

const stack = new Stack();
let stage: Stage;
const looks = new Map<string, PreflightVerdict>();
const keep = (seen: readonly PreflightLook[]): void => {
  for (const { domain, verdict } of seen) looks.set(domain, verdict);
};

async function prepare(row: Row): Promise<void> {
  const host = nameOf(row.what);
  if (row.a) await stage.tell('add-a', { host, addresses: row.a });
  if (row.aaaa) await stage.tell('add-aaaa', { host, addresses: row.aaaa });
  if (row.cname) await stage.tell('set-cname', { host, target: row.cname });
  if (row.caa) await stage.tell('add-caa', { host, policies: row.caa });
  if (row.servfail) await stage.tell('set-servfail', { host });
  if (row.behaves) stage.behaviours.set(host, row.behaves);
}

before(async () => {
  stage = await startStage(stack);
  const places = {
    target: AT.ours,
    elsewhere: AT.wild,
    closed: AT.closed,
    metadata: AT.metadata,
    inside: AT.inside,
    loopback: AT.loopback,
    balancer: AT.private,
  };
  for (const [name, address] of Object.entries(places)) {
    await stage.tell('add-a', { host: `${name}.example.net`, addresses: [address] });
  }
  await stage.tell('set-servfail', { host: 'broken.example.net' });
  await Promise.all([...PUBLIC, ...PRIVATE].map(prepare));
  const names = (rows: readonly Row[]): string[] => rows.map(({ what }) => nameOf(what));
  const [seenByPublic, seenByPrivate] = await Promise.all([
    stage.look(names(PUBLIC), { ca: 'public', accountUrl: ACCOUNT }),
    stage.look(names(PRIVATE), { ca: 'private', identities: async () => undefined }),
  ]);
  keep(seenByPublic);
  keep(seenByPrivate);
});
after(() => stack.dispose());

for (const { what, kind, why, cure } of [...PUBLIC, ...PRIVATE])
  test(`${what}: ${kind}`, () => {
    const verdict = looks.get(nameOf(what));
    assert.equal(verdict?.kind, kind, JSON.stringify(verdict));
    if (verdict === undefined || verdict.kind === 'good') return;
    assert.ok(verdict.why.startsWith(nameOf(what)), verdict.why);
    if (why !== undefined) assert.match(verdict.why, why);
    if (cure !== undefined) assert.match(verdict.cure, cure);
  });

test('a body of 64 MiB is left where it is', () => {
  const sent = stage.sent.get(nameOf('64 MiB'));
  assert.ok(sent !== undefined && sent < 8 << 20, `${sent} bytes`);
});

test('nobody knocked at the metadata, at this host or at a private address that is none of ours', () => {
  assert.deepEqual(stage.trespasses, []);
});

test('no sentence has the token or the answer in it, whatever echoed them; and none is long', () => {
  assert.ok(stage.secrets.size >= 4);
  for (const verdict of looks.values()) {
    const text = verdict.kind === 'good' ? '' : `${verdict.why} ${verdict.cure}`;
    for (const secret of stage.secrets) assert.ok(!text.toLowerCase().includes(secret.toLowerCase()), text);
    assert.doesNotMatch(text, /hunter2/);
    assert.ok(text.length < 1_000, text);
  }
});

test('DNS: a name that does not exist is bad; a refusal, silence and no server at all are unknown', async () => {
  const dns = await startDns(stack, (name) => {
    if (name.startsWith('silent')) return undefined;
    return { rcode: name.startsWith('refused') ? 'REFUSED' : 'NXDOMAIN' };
  });
  const asked = ['missing.example.net', 'refused.example.net', 'silent.example.net'];
  const told = await stage.look(asked, { ca: 'public', resolver: dns });
  const elsewhere = await stage.look(['a.example.net'], { ca: 'public', resolver: `${AT.closed}:53` });
  const texts = [...told, ...elsewhere].map(({ verdict }) => [
    verdict.kind,
    verdict.kind === 'good' ? '' : verdict.why,
  ]);
  assert.deepEqual(texts, [
    ['bad', 'missing.example.net: does not exist in DNS (NXDOMAIN)'],
    ['unknown', 'refused.example.net: its address cannot be looked up: DNS answers REFUSED'],
    ['unknown', 'silent.example.net: its address cannot be looked up: DNS answers no answer in time'],
    ['unknown', 'a.example.net: its address cannot be looked up: DNS answers no DNS server answers'],
  ]);
});

test('CAA: the nearest records count, a critical one that is not known refuses, a failing DNS is unknown', async () => {
  const caa: Readonly<Record<string, readonly Buffer[]>> = {
    'parent.test': [caaRecord(0, 'issue', 'ca.example.net')],
    'own.parent.test': [caaRecord(0, 'issue', 'letsencrypt.org')],
    'critical.test': [caaRecord(128, 'tbs', 'x'), caaRecord(0, 'issue', 'letsencrypt.org')],
    'curious.test': [caaRecord(0, 'tbs', 'x'), caaRecord(0, 'issue', 'letsencrypt.org')],
  };
  const dns = await startDns(stack, (name, type) => {
    if (type === 'A') return { rcode: 'NOERROR', records: [aRecord(AT.ours)] };
    if (type === 'CAA' && name === 'broken.test') return { rcode: 'SERVFAIL' };
    return { rcode: 'NOERROR', records: type === 'CAA' ? (caa[name] ?? []) : [] };
  });
  const asked = ['a.b.parent.test', 'own.parent.test', 'critical.test', 'curious.test', 'a.broken.test'];
  const told = await stage.look(asked, { ca: 'public', resolver: dns });
  assert.deepEqual(
    told.map(({ verdict }) => (verdict.kind === 'good' ? 'good' : `${verdict.kind}: ${verdict.why}`)),
    [
      'bad: a.b.parent.test: CAA of parent.test: issue "ca.example.net" does not name letsencrypt.org',
      'good',
      "bad: critical.test: CAA of critical.test: a critical CAA record 'tbs' that no CA knows",
      'good',
      'unknown: a.broken.test: CAA of broken.test cannot be looked up: DNS answers SERVFAIL',
    ],
  );
});

test("the CA's names for CAA come from its directory, once; without them it is unknown only where there are records", async () => {
  let asked = 0;
  const server = http.createServer((_request, response) => {
    asked++;
    response.end(JSON.stringify({ meta: { caaIdentities: ['letsencrypt.org', 7] } }));
  });
  await new Promise<void>((resolve) => server.listen(0, AT.loopback, resolve));
  const { port } = server.address() as { port: number };
  const options = { caPem: undefined, email: undefined, timeoutMs: 2_000, proxyEnv: {}, userAgent: 'test/1' };
  const identities = identitiesAt({ ...options, directoryUrl: `http://${AT.loopback}:${port}/dir` });
  const names = ['CAA for this CA', 'CAA for another CA', 'A alone leads to us'].map(nameOf);
  const kinds = async (): Promise<readonly string[]> => {
    const seen = await stage.look(names, { ca: 'public', identities });
    return seen.map(({ verdict }) => verdict.kind);
  };
  assert.deepEqual(await kinds(), ['good', 'bad', 'good']);
  assert.deepEqual(await kinds(), ['good', 'bad', 'good']);
  assert.ok(asked <= 2, `${asked} requests`);
  server.close();
  server.closeAllConnections();
  const gone = identitiesAt({ ...options, directoryUrl: `http://${AT.loopback}:${port}/dir` });
  const [record, , none] = await stage.look(names, { ca: 'public', identities: gone });
  assert.equal(none?.verdict.kind, 'good');
  assert.equal(record?.verdict.kind, 'unknown');
  assert.match(record?.verdict.kind === 'unknown' ? record.verdict.why : '', /has CAA records.*\(ECONNREFUSED\)$/);
});

test('an account that is not made yet is unknown, where CAA names one', async () => {
  const [look] = await stage.look([nameOf('CAA for our account')], { ca: 'public' });
  assert.equal(look?.verdict.kind, 'unknown');
});

test('the end of the program ends the look; the end of its time leaves what was not seen unknown', async () => {
  const stop = new AbortController();
  const names = [nameOf('nothing comes back'), nameOf('A alone leads to us')];
  const stopped = stage.look(names, { ca: 'public', signal: stop.signal });
  stop.abort(new Error('stopping'));
  await assert.rejects(stopped, /stopping/);
  const slow = nameOf('a body without end, a byte at a time');
  const [look] = await stage.look([slow], { ca: 'public', wholeMs: 500 });
  assert.deepEqual(
    look?.verdict.kind === 'unknown' && look.verdict.why,
    `${slow}: the look at all names took more than 0.5 s`,
  );
});

test('a hundred names at an address that nothing comes back from take one time-out, not a hundred', async () => {
  const dns = await startDns(stack, (_, type) => ({
    rcode: 'NOERROR',
    records: type === 'A' ? [aRecord(AT.silent)] : [],
  }));
  const began = Date.now();
  const names = Array.from({ length: 100 }, (_, nth) => `n${nth}.example.net`);
  const seen = await stage.look(names, { ca: 'public', resolver: dns });
  assert.deepEqual(new Set(seen.map(({ verdict }) => verdict.kind)), new Set(['unknown']));
  assert.ok(Date.now() - began < 25_000, `${Date.now() - began} ms, where a hundred would take 200 s`);
});

test('the token answers for the length of a look only', () => {
  assert.deepEqual([...stage.challenges.tokens], []);
});
