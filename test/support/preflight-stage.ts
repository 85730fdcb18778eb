/**
 * A small Internet for the preflight: servers at public and private addresses, a DNS whose records a test writes, and
 * counters at those doors where nobody may knock. For a network namespace of one's own (support/own-network.ts).
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { Challenges } from '../../src/acme/challenges.ts';
import type { Identities } from '../../src/acme/identities.ts';
import { type PreflightLook, preflight } from '../../src/acme/preflight.ts';
import { Peers } from '../../src/peers.ts';
import { listenPublic } from '../../src/web/public.ts';
import { selfSigned } from './certificates.ts';
import { startHaproxyWith } from './haproxy-with.ts';
import { type Disposer, startPebble } from './pebble.ts';

export const AT = {
  /** Our own listener, on port 80. */
  ours: '45.45.45.1',
  ours6: '2a00:45::1',
  /** Answers as a row of the test says; also on 443. */
  wild: '45.45.45.2',
  wild6: '2a00:45::2',
  /** Nothing listens. */
  closed: '45.45.45.3',
  closed6: '2a00:45::3',
  /** Takes no connection and refuses none. */
  silent: '45.45.45.4',
  /** A real HAProxy: redirects to https, and from there to our listener. */
  haproxy: '45.45.45.5',
  /** The wild server on port 80, nothing on 443. */
  plain: '45.45.45.6',
  /** The wild server on port 80, TLS 1.1 and no more on 443. */
  old: '45.45.45.7',
  private: '10.9.9.1',
  /** Private, and none of a load balancer's. */
  inside: '10.9.9.2',
  metadata: '169.254.169.254',
  loopback: '127.0.0.1',
} as const;
export const ADDRESSES = Object.values(AT).filter((address) => address !== '127.0.0.1');

/** What the wild server does when it is asked for a name. */
export type Behaviour = (request: http.IncomingMessage, response: http.ServerResponse, stage: Stage) => void;

export interface Stage {
  readonly challenges: Challenges;
  readonly behaviours: Map<string, Behaviour>;
  /** Connections to doors at which nobody may knock. */
  readonly trespasses: string[];
  /** Tokens that came to the wild server, and their answers. */
  readonly secrets: Set<string>;
  /** Bytes that the wild server got rid of, by the name it was asked for. */
  readonly sent: Map<string, number>;
  tell(command: string, body: unknown): Promise<void>;
  look(domains: readonly string[], options: LookOptions): Promise<readonly PreflightLook[]>;
}

export interface LookOptions {
  readonly ca: 'public' | 'private';
  readonly resolver?: string;
  readonly identities?: Identities;
  readonly accountUrl?: string;
  readonly signal?: AbortSignal;
  /** For all names together. */
  readonly wholeMs?: number;
}

const DIRECTORIES = {
  public: 'https://acme-v02.api.letsencrypt.org/directory',
  private: 'https://ca.corp.example/dir',
};
const LIMITS = { connectMs: 2_000, chainMs: 5_000, dnsMs: 1_000, wholeMs: 30_000 };

export async function startStage(t: Disposer): Promise<Stage> {
  const pebble = await startPebble(t, { defaultAddress: '' });
  const challenges = new Challenges();
  const stage: Stage = {
    challenges,
    behaviours: new Map(),
    trespasses: [],
    secrets: new Set(),
    sent: new Map(),
    tell: pebble.tell,
    look: (domains, options) =>
      preflight(domains, {
        challenges,
        directoryUrl: DIRECTORIES[options.ca],
        identities: options.identities ?? (async () => ['letsencrypt.org']),
        accountUrl: async () => options.accountUrl,
        resolvers: [options.resolver ?? pebble.dnsServer],
        loadBalancerHosts: [AT.private],
        limits: { ...LIMITS, ...(options.wholeMs && { wholeMs: options.wholeMs }) },
        signal: options.signal ?? new AbortController().signal,
      }),
  };
  for (const host of [AT.ours, AT.ours6, AT.private]) {
    const listener = await listenPublic({
      host,
      port: 80,
      challenges,
      peers: new Peers(undefined),
      isAlive: () => true,
    });
    t.after(() => listener.close());
  }
  const tls = selfSigned('wild.example');
  const answer = (request: http.IncomingMessage, response: http.ServerResponse): void => wild(request, response, stage);
  for (const host of [AT.wild, AT.wild6]) {
    await listen(t, http.createServer(answer), host, 80);
    await listen(t, https.createServer({ key: tls.keyPem, cert: tls.chainPem }, answer), host, 443);
  }
  for (const host of [AT.plain, AT.old]) await listen(t, http.createServer(answer), host, 80);
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await listen(t, https.createServer({ key: tls.keyPem, cert: tls.chainPem, ...old }, answer), AT.old, 443);
  for (const host of [AT.metadata, AT.inside, AT.loopback]) {
    await listen(
      t,
      net.createServer((socket) => trespass(socket, host, stage)),
      host,
      80,
    );
  }
  await startSilence(t, AT.silent);
  await startHaproxyWith(t, {
    host: AT.haproxy,
    ports: { http: 80, https: 443 },
    http: ['redirect scheme https code 301'],
    https: ['use_backend sidecar'],
    sections: [`backend sidecar\n  server one ${AT.ours}:80\n`],
  });
  return stage;
}

function wild(request: http.IncomingMessage, response: http.ServerResponse, stage: Stage): void {
  const name = (request.headers.host ?? '').replace(/:\d+$/, '');
  const { socket } = request;
  const token = request.url?.split('/').at(-1) ?? '';
  const answer = stage.challenges.answerTo(token);
  if (answer !== undefined) stage.secrets.add(token).add(answer);
  socket.on('error', () => undefined);
  socket.once('close', () => stage.sent.set(name, socket.bytesWritten));
  const behaviour = stage.behaviours.get(name);
  if (behaviour !== undefined) behaviour(request, response, stage);
  else response.writeHead(404, { 'Content-Type': 'text/html', Server: 'wild/1' }).end('not here');
}

function trespass(socket: net.Socket, host: string, { trespasses }: Stage): void {
  trespasses.push(host);
  socket.on('error', () => undefined).destroy();
}

async function listen(t: Disposer, server: net.Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

/** A stopped process whose queue of connections is full: the kernel drops what comes, as a firewall would. */
async function startSilence(t: Disposer, host: string): Promise<void> {
  const program = `require('node:net').createServer().listen({ port: 80, host: '${host}', backlog: 1 }, () => console.log())`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const fillers: net.Socket[] = [];
  t.after(async () => {
    for (const socket of fillers) socket.destroy();
    child.kill('SIGKILL');
  });
  await once(child.stdout, 'data');
  child.kill('SIGSTOP');
  for (let nth = 0; nth < 4; nth++) fillers.push(net.connect(80, host).on('error', () => undefined));
  await once(fillers[0] as net.Socket, 'connect');
}
