/**
 * A bare real HAProxy for a test, without marathon-lb around it, and what a TLS client is shown by one.
 *
 * On a free port of loopback; ready when the promise resolves, gone when the test ends. A configuration that HAProxy
 * refuses fails the test with HAProxy's own words.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { connect } from 'node:tls';
import type { RunningTask } from '../marathon-simulator/executor.ts';
import { Haproxy } from '../marathon-simulator/load-balancer/haproxy.ts';
import { freePort } from './free-port.ts';

export interface RunningHaproxy {
  readonly host: string;
  readonly port: number;
  readonly process: Haproxy;
}

const DEFAULTS = `
global
  maxconn 500
  nbthread 1
defaults
  mode http
  timeout connect 3s
  timeout client 30s
  timeout server 30s
`;

/** Serves these PEMs, chosen by SNI, the first one for a name that none has; answers 200 to whatever is asked. */
export async function startHaproxy(t: TestContext, ...pems: readonly string[]): Promise<RunningHaproxy> {
  const host = '127.0.0.1';
  const port = await freePort(host);
  const directory = await newDirectory();
  const files = pems.map((_, nth) => join(directory, `cert${nth}.pem`));
  await Promise.all(files.map((file, nth) => writeFile(file, pems[nth] ?? '', { mode: 0o600 })));
  const config = `${DEFAULTS}
frontend tls
  bind ${host}:${port} ssl ${files.map((file) => `crt ${file}`).join(' ')}
  http-request return status 200 content-type text/plain string "served by HAProxy"
`;
  return { host, port, process: await started(t, directory, config) };
}

/** With this configuration as it stands; it binds what it says, see `freePort`. */
export async function startHaproxyWith(t: TestContext, config: string): Promise<Haproxy> {
  return started(t, await newDirectory(), config);
}

async function started(t: TestContext, directory: string, text: string): Promise<Haproxy> {
  const config = join(directory, 'haproxy.cfg');
  await writeFile(config, text);
  const haproxy = await Haproxy.start({ config, directory });
  endWithTest(t, haproxy, directory);
  if (haproxy.isUp) return haproxy;
  throw new Error(`HAProxy did not start:\n${haproxy.output}`);
}

export function newDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'haproxy-'));
}

/** The process first, then its files. */
export function endWithTest(t: TestContext, task: Pick<RunningTask, 'kill' | 'exited'>, directory: string): void {
  t.after(async () => {
    task.kill('SIGKILL');
    await task.exited;
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  });
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** SHA-256 of the leaf that is shown to a client asking for this name; undefined: a client that sends no SNI. */
export function servedFingerprint({ host, port }: Endpoint, servername: string | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, rejectUnauthorized: false, ...(servername ? { servername } : {}) }, () => {
      const fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
      socket.destroy();
      if (fingerprint) resolve(fingerprint);
      else reject(new Error(`${host}:${port} shows no certificate for ${servername}`));
    });
    socket.once('error', reject).setTimeout(5_000, () => socket.destroy(new Error('no TLS answer within 5 s')));
  });
}
