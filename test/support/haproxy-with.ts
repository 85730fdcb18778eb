/**
 * A real HAProxy with rules of the test's own, on two free ports of one address. Ends with the test.
 *
 * For looking through a load balancer at one thing; the whole of marathon-lb is test/marathon-simulator/load-balancer.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Haproxy } from '../marathon-simulator/load-balancer/haproxy.ts';
import { selfSigned } from './certificates.ts';
import { freePort } from './free-port.ts';
import type { Disposer } from './pebble.ts';

export interface HaproxyRules {
  /** PEMs in the order of the bind line; the first is for names that none has. */
  readonly certificates?: readonly string[];
  /** Lines of the frontends. */
  readonly http?: readonly string[];
  readonly https?: readonly string[];
  /** More sections: backends, userlists. */
  readonly sections?: readonly string[];
  /** 127.0.0.1 */
  readonly host?: string;
  /** Free ones unless told. */
  readonly ports?: { readonly http: number; readonly https: number };
}

export interface RunningHaproxy {
  readonly host: string;
  readonly httpPort: number;
  readonly httpsPort: number;
}

export async function startHaproxyWith(t: Disposer, rules: HaproxyRules): Promise<RunningHaproxy> {
  const { host = '127.0.0.1', certificates = [selfSigned('*').pem] } = rules;
  const directory = await mkdtemp(join(tmpdir(), 'haproxy-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const files = certificates.map((_pem, index) => join(directory, `cert${index}.pem`));
  await Promise.all(certificates.map((pem, index) => writeFile(files[index] ?? '', pem, { mode: 0o600 })));
  const { http: httpPort, https: httpsPort } = rules.ports ?? {
    http: await freePort(host),
    https: await freePort(host),
  };
  const config = join(directory, 'haproxy.cfg');
  const crt = files.map((file) => `crt ${file}`).join(' ');
  await writeFile(
    config,
    configuration({ http: `${host}:${httpPort}`, https: `${host}:${httpsPort} ssl ${crt}` }, rules),
  );
  const haproxy = await Haproxy.start({ config, directory });
  t.after(async () => {
    haproxy.kill('SIGKILL');
    await haproxy.exited;
  });
  if (!haproxy.output.includes('Loading success')) throw new Error(`haproxy did not start:\n${haproxy.output}`);
  return { host, httpPort, httpsPort };
}

function configuration(bind: { http: string; https: string }, rules: HaproxyRules): string {
  const lines = (all: readonly string[] = []): string => all.map((line) => `  ${line}\n`).join('');
  return `global
  maxconn 2000
  nbthread 1
defaults
  mode http
  retries 0
  timeout connect 3s
  timeout client 30s
  timeout server 30s
  timeout http-keep-alive 1s
frontend http
  bind ${bind.http}
${lines(rules.http)}frontend https
  bind ${bind.https}
${lines(rules.https)}${(rules.sections ?? []).join('\n')}
`;
}
