/**
 * The real Pebble as a CA of our own, with pebble-challtestsrv as the DNS it looks names up in. On free ports, in a
 * folder of its own, gone with the test. What the CA saw is counted from its own log, not from what we think we sent.
 *
 * `calm` is for speed. Pebble's own defaults are made to find sloppy clients: 5 % of good nonces refused, validation
 * after 0 to 5 s, half of the valid authorizations not reused.
 */

import { execFile, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';

const DEBIAN = '`apt-get install pebble` has it (Debian, Ubuntu)';
const START_MS = 20_000;

/** A test context, or whatever else cleans up when its time has come. */
export interface Disposer {
  after(dispose: () => Promise<void>): void;
}

export interface PebbleOptions {
  /** 127.0.0.1 */
  readonly host?: string;
  /** Where its validation connects to: 80 and 443 unless told. */
  readonly httpPort?: number;
  readonly httpsPort?: number;
  readonly validitySeconds?: number;
  /** `calm` (no sleeps, no nonces refused) or Pebble's own `defaults`; calm unless told. */
  readonly strictness?: 'calm' | 'defaults';
  /** Percent of good nonces refused. */
  readonly nonceReject?: number;
  /** Percent of valid authorizations reused in a new order. */
  readonly authzReuse?: number;
  /** Names it refuses by policy. */
  readonly blocked?: readonly string[];
  /** Where names lead that nobody told of by `resolve`; 127.0.0.1 unless told. */
  readonly defaultAddress?: string;
  /** More of Pebble's own settings, such as PEBBLE_ALTERNATE_ROOTS. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Requests that came in, nonces refused ones included. */
export interface Counts {
  readonly directory: number;
  readonly newNonce: number;
  readonly newAccount: number;
  readonly newOrder: number;
  readonly order: number;
  readonly authorization: number;
  readonly challenge: number;
  readonly finalize: number;
  readonly certificate: number;
  /** All of them, whatever they were. */
  readonly total: number;
}

export interface Pebble {
  readonly directoryUrl: string;
  /** The certificate of its own listeners (not of those it issues): ACME_CA_FILE. */
  readonly caFile: string;
  readonly caPem: string;
  readonly pid: number;
  /** The DNS that it asks, as ip:port. */
  readonly dnsServer: string;
  /** Any other command of pebble-challtestsrv's management API, such as add-aaaa. */
  tell(command: string, body: unknown): Promise<void>;
  /** The root of what it issues; a new one at each start. */
  rootPem(): Promise<string>;
  resolve(name: string, address: string): Promise<void>;
  resolveAll(address: string): Promise<void>;
  /** NXDOMAIN is beyond the DNS server: no A and no AAAA it is. */
  forget(name: string): Promise<void>;
  counts(): Counts;
  /** Orders it accepted, and certificates it issued: by its log, so repeats after a refused nonce count once. */
  orders(): number;
  issued(): number;
  /** When our side read of it: the first order accepted, the last certificate issued. */
  times(): { readonly firstOrder: Date | undefined; readonly lastIssued: Date | undefined };
  log(): string;
  close(): Promise<void>;
}

export async function startPebble(t: Disposer, options: PebbleOptions = {}): Promise<Pebble> {
  const host = options.host ?? '127.0.0.1';
  const dir = await mkdtemp(join(tmpdir(), 'pebble-'));
  const ports = [freePort(host), freePort(host), freePort(host), freePort(host)] as const;
  const [acme, management, dns, dnsManagement] = await Promise.all(ports);
  const { certFile, keyFile } = await ownCertificate(dir, host);
  const caPem = await readFile(certFile, 'utf8');
  const pebble = {
    listenAddress: `${host}:${acme}`,
    managementListenAddress: `${host}:${management}`,
    certificate: certFile,
    privateKey: keyFile,
    httpPort: options.httpPort ?? 80,
    tlsPort: options.httpsPort ?? 443,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
    domainBlocklist: options.blocked ?? [],
    ...(options.validitySeconds === undefined ? {} : { certificateValidityPeriod: options.validitySeconds }),
  };
  const config = join(dir, 'pebble.json');
  await writeFile(config, JSON.stringify({ pebble }));

  const names = start('/usr/bin/pebble-challtestsrv', [
    ...['-http01', '', '-https01', '', '-tlsalpn01', ''],
    ...['-dns01', `${host}:${dns}`, '-management', `${host}:${dnsManagement}`],
    ...['-defaultIPv4', options.defaultAddress ?? '127.0.0.1', '-defaultIPv6', ''],
  ]);
  const ca = start('/usr/bin/pebble', ['-config', config, '-dnsserver', `${host}:${dns}`], settings(options));
  const close = async (): Promise<void> => {
    await Promise.all([ca.stop(), names.stop()]);
    await rm(dir, { recursive: true, force: true });
  };
  t.after(close);

  const directoryUrl = `https://${host}:${acme}/dir`;
  const root = (): Promise<string> => get(`https://${host}:${management}/roots/0`, caPem);
  await answers('pebble', ca, () => get(directoryUrl, caPem));
  await answers('pebble-challtestsrv', names, () =>
    post(`http://${host}:${dnsManagement}/set-default-ipv6`, { ip: '' }),
  );

  const tell = (path: string, body: unknown): Promise<void> => post(`http://${host}:${dnsManagement}/${path}`, body);
  const ready = ca.lines.length; // our own look at the directory is not a client's
  const lines = (): readonly Line[] => ca.lines.slice(ready);
  return {
    directoryUrl,
    caFile: certFile,
    caPem,
    pid: ca.pid,
    dnsServer: `${host}:${dns}`,
    tell,
    rootPem: root,
    resolve: async (name, address) => {
      // Else it would stay forgotten, or lead to where it led before, too.
      await tell('clear-servfail', { host: name });
      await tell('clear-a', { host: name });
      await tell('add-a', { host: name, addresses: [address] });
    },
    resolveAll: (address) => tell('set-default-ipv4', { ip: address }),
    forget: (name) => tell('set-servfail', { host: name }),
    counts: () => count(lines()),
    orders: () => lines().filter(isOrder).length,
    issued: () => lines().filter(isIssue).length,
    times: () => ({ firstOrder: lines().find(isOrder)?.at, lastIssued: lines().findLast(isIssue)?.at }),
    log: () => ca.lines.map(({ text }) => text).join('\n'),
    close,
  };
}

function settings({ strictness = 'calm', nonceReject, authzReuse, env }: PebbleOptions): Record<string, string> {
  return {
    ...(strictness === 'calm' ? { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' } : {}),
    ...(nonceReject === undefined ? {} : { PEBBLE_WFE_NONCEREJECT: String(nonceReject) }),
    ...(authzReuse === undefined ? {} : { PEBBLE_AUTHZREUSE: String(authzReuse) }),
    ...env,
  };
}

// What the CA saw

interface Line {
  readonly at: Date;
  readonly text: string;
}

const isOrder = ({ text }: Line): boolean => /Added order "/.test(text);
const isIssue = ({ text }: Line): boolean => /Issued certificate serial/.test(text);

const PATHS: Readonly<Record<Exclude<keyof Counts, 'total'>, RegExp>> = {
  directory: /^\/dir$/,
  newNonce: /^\/nonce-plz$/,
  newAccount: /^\/sign-me-up$/,
  newOrder: /^\/order-plz$/,
  order: /^\/my-order\//,
  authorization: /^\/authZ\//,
  challenge: /^\/chalZ\//,
  finalize: /^\/finalize-order\//,
  certificate: /^\/certZ\//,
};

function count(lines: readonly Line[]): Counts {
  const paths = lines.flatMap(({ text }) => / (?:GET|HEAD|POST) (\/\S*) -> calling handler/.exec(text)?.[1] ?? []);
  const of = (pattern: RegExp): number => paths.filter((path) => pattern.test(path)).length;
  const seen = Object.entries(PATHS).map(([what, pattern]) => [what, of(pattern)]);
  return { ...Object.fromEntries(seen), total: paths.length } as Counts;
}

// Its two processes

interface Server {
  readonly pid: number;
  readonly lines: Line[];
  exited(): boolean;
  stop(): Promise<void>;
}

function start(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Server {
  demand(program);
  const lines: Line[] = [];
  const child = spawn(program, args, {
    env: { ...withoutPebble(process.env), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exit = new Promise<void>((done) => child.once('exit', () => done()));
  child.once('error', (error) => lines.push({ at: new Date(), text: error.message }));
  for (const input of [child.stdout, child.stderr]) {
    createInterface({ input }).on('line', (text) => lines.push({ at: new Date(), text }));
  }
  const exited = (): boolean => child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  const stop = async (): Promise<void> => {
    if (exited()) return;
    child.kill('SIGTERM');
    const patience = setTimeout(() => child.kill('SIGKILL'), 2_000);
    await exit;
    clearTimeout(patience);
  };
  return { pid: child.pid ?? 0, lines, exited, stop };
}

/** Settings of Pebble in the developer's own shell must not leak into a test. */
function withoutPebble(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('PEBBLE_')));
}

function demand(program: string): void {
  try {
    accessSync(program, constants.X_OK);
  } catch {
    throw new Error(`${program} is missing: ${DEBIAN}`);
  }
}

async function answers(name: string, server: Server, look: () => Promise<unknown>): Promise<void> {
  const end = Date.now() + START_MS;
  let last = 'nothing tried';
  while (Date.now() < end && !server.exited()) {
    try {
      await look();
      return;
    } catch (error) {
      last = (error as Error).message;
    }
    await sleep(20);
  }
  const output = server.lines.map(({ text }) => text).join('\n');
  throw new Error(`${name} ${server.exited() ? 'ended' : 'does not answer'} (${last}); its output:\n${output}`);
}

async function ownCertificate(dir: string, host: string): Promise<{ certFile: string; keyFile: string }> {
  const certFile = join(dir, 'listener.pem');
  const keyFile = join(dir, 'listener.key');
  await promisify(execFile)('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'],
    ...['-keyout', keyFile, '-out', certFile, '-subj', '/CN=Pebble listener'],
    ...['-addext', `subjectAltName=IP:${host},DNS:localhost`],
  ]);
  return { certFile, keyFile };
}

function get(url: string, ca: string): Promise<string> {
  return new Promise((done, fail) => {
    const request = httpsRequest(url, { ca, agent: false, timeout: 5_000 }, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (chunk) => (text += chunk));
      reply.on('end', () => (reply.statusCode === 200 ? done(text) : fail(new Error(`${url}: ${reply.statusCode}`))));
    });
    request
      .on('error', fail)
      .on('timeout', () => request.destroy(new Error(`${url}: timeout`)))
      .end();
  });
}

function post(url: string, body: unknown): Promise<void> {
  return new Promise((done, fail) => {
    const request = httpRequest(url, { method: 'POST', agent: false, timeout: 5_000 }, (reply) => {
      reply
        .resume()
        .on('end', () => (reply.statusCode === 200 ? done() : fail(new Error(`${url}: ${reply.statusCode}`))));
    });
    request
      .on('error', fail)
      .on('timeout', () => request.destroy(new Error(`${url}: timeout`)))
      .end(JSON.stringify(body));
  });
}
