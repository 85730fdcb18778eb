/** `test-app`: the test application, behind the load balancer like any other; by HTTPS, if the inner hop is to be encrypted. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ConfigError, parseConfig } from '../config.ts';
import { become } from '../privileges.ts';
import { listenTestApp, type TestAppOptions, vhostsIn } from '../web/test-app.ts';
import type { Context, Given } from './command.ts';

export async function testApp({ env, signal }: Context, { options }: Given): Promise<number> {
  const { listenAddress: host, httpPort: port, runAs } = parseConfig(env);
  const tls = options.tls === undefined ? undefined : await certificate(options.tls, env);
  const listener = await listenTestApp({ host, port, env, tls });
  become(runAs);
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await listener.close();
  return 0;
}

async function certificate(how: string, env: TestAppOptions['env']): Promise<{ cert: string; key: string }> {
  if (how !== 'snakeoil') return fromFile(how);
  const { makeSnakeoil } = await import('../web/snakeoil.ts');
  const { certPem, keyPem } = await makeSnakeoil([...vhostsIn(env)]);
  return { cert: certPem, key: keyPem };
}

/** One file for both, as HAProxy has it; each reader takes the blocks that are its own. */
async function fromFile(file: string): Promise<{ cert: string; key: string }> {
  try {
    const pem = await readFile(file, 'utf8');
    createSecureContext({ cert: pem, key: pem });
    return { cert: pem, key: pem };
  } catch (error) {
    const why = (error as Error).message;
    throw new ConfigError([
      `--tls must be 'snakeoil', or a PEM file with a certificate, its chain and its key, not '${file}': ${why}`,
    ]);
  }
}
