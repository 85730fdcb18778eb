/** Whether somebody listens: a GET is answered by 200. */
import { get } from 'node:http';

/** As the CA and Marathon ask, and what each of ours answers with "pong". */
const PATH = '/.well-known/acme-challenge/ping';
/** In a share of 0.05 CPU an answer may take seconds. */
const PATIENCE_MS = 10_000;

/** `name`: asked for by this Host. */
export function isAnswered(host: string | undefined, port: number | undefined, name?: string): Promise<boolean> {
  return new Promise((resolve) => {
    if (host === undefined || port === undefined) return resolve(false);
    const headers = name === undefined ? {} : { host: name };
    const request = get({ host, port, path: PATH, headers, agent: false, timeout: PATIENCE_MS }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    });
    request.on('error', () => resolve(false)).on('timeout', () => request.destroy());
  });
}
