/** The web server that clients without a listener lean on: files of a folder, as they are. */
import { readFile } from 'node:fs';
import type { RequestListener } from 'node:http';
import { basename, join } from 'node:path';

export function webroot(folder: string): RequestListener {
  return (request, reply) => {
    const name = join(folder, '.well-known', 'acme-challenge', basename(request.url ?? ''));
    readFile(name, (error, data) => (error ? reply.writeHead(404).end() : reply.end(data)));
  };
}
