/**
 * The clients that are compared, each as its documentation says to get one certificate over http-01 with a new account,
 * its files in an empty folder. Ours is the program as it is shipped.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyType } from '../src/certificates/spec.ts';
import type { Command } from './measure.ts';

export interface Job {
  readonly names: readonly string[];
  readonly keyType: KeyType;
  readonly directoryUrl: string;
  readonly caFile: string;
  /** Where the CA comes to. */
  readonly httpPort: number;
  /** Empty, and this run's own. */
  readonly dir: string;
}

export interface Peer {
  readonly name: string;
  /** What has to be there; ours and the floor need nothing. */
  readonly commands: readonly string[];
  /** It has no listener: answers are files, which somebody else serves from `dir`/webroot. */
  readonly webroot: boolean;
  /** The most names that it can be waited for. */
  readonly most: number;
  command(job: Job): Omit<Command, 'timeoutMs'>;
}

/** In one command line, so that all of it is measured. */
const script = (...lines: readonly string[]): readonly string[] => ['bash', '-ec', lines.join('\n')];
const rsa = ({ keyType }: Job): boolean => keyType === 'rsa4096';

/** `program`: Node, its flags and our entry. */
export function ours(program: readonly string[]): Peer {
  return {
    ...{ name: 'letsencrypt-dcos', commands: [], webroot: false, most: 100 },
    command: ({ names, keyType, directoryUrl, caFile, httpPort, dir }) => ({
      argv: [...program, 'obtain', '--out', dir],
      env: {
        ...{ DOMAINS: names.join(','), KEY_TYPE: keyType, LETSENCRYPT_SERVER_URL: directoryUrl },
        ...{ ACME_CA_FILE: caFile, LISTEN_ADDRESS: '127.0.0.1', HTTP_PORT: String(httpPort) },
      },
    }),
  };
}

export function floor(program: readonly string[]): Peer {
  return {
    ...{ name: 'floor', commands: [], webroot: false, most: 100 },
    command: ({ names, keyType, directoryUrl, caFile, httpPort, dir }) => ({
      argv: [...program, directoryUrl, caFile, String(httpPort), keyType, join(dir, 'bundle.pem'), ...names],
      env: {},
    }),
  };
}

const certbot: Peer = {
  ...{ name: 'certbot', commands: ['certbot'], webroot: false, most: 100 },
  command: (job) => ({
    argv: [
      ...['certbot', 'certonly', '--standalone', '-n', '--agree-tos', '--register-unsafely-without-email'],
      ...['--server', job.directoryUrl, '--http-01-port', String(job.httpPort), '--http-01-address', '127.0.0.1'],
      ...['config', 'work', 'logs'].flatMap((kind) => [`--${kind}-dir`, join(job.dir, kind)]),
      ...(rsa(job) ? ['--key-type', 'rsa', '--rsa-key-size', '4096'] : ['--key-type', 'ecdsa']),
      ...['-d', job.names.join(',')],
    ],
    env: { REQUESTS_CA_BUNDLE: job.caFile },
  }),
};

/** It looks once and then after seconds, one name after the other. */
const lego: Peer = {
  ...{ name: 'lego', commands: ['lego'], webroot: false, most: 1 },
  command: (job) => ({
    argv: [
      ...['lego', '--server', job.directoryUrl, '--email', 'bench@example.com', '--accept-tos', '--path', job.dir],
      ...['--key-type', rsa(job) ? 'rsa4096' : 'ec256', '--http', '--http.port', `127.0.0.1:${job.httpPort}`],
      ...job.names.flatMap((name) => ['-d', name]),
      'run',
    ],
    env: { LEGO_CA_CERTIFICATES: job.caFile },
  }),
};

/** Its TLS library knows only the system's roots: ours lies over them in a mount namespace. */
const uacme: Peer = {
  ...{ name: 'uacme', commands: ['uacme', 'unshare'], webroot: true, most: 100 },
  command: (job) => {
    const common = `uacme -y -c ${job.dir} -a ${job.directoryUrl}`;
    const issue = `${common} -h /usr/share/uacme/uacme.sh -t ${rsa(job) ? 'RSA -b 4096' : 'EC'} issue`;
    const lines = [
      `mount --bind ${job.caFile} /etc/ssl/certs/ca-certificates.crt`,
      `${common} new`,
      `${issue} ${job.names.join(' ')}`,
    ];
    const asUser = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
    return {
      argv: ['unshare', ...asUser, '--mount', ...script(...lines)],
      env: { UACME_CHALLENGE_PATH: join(job.dir, 'webroot', '.well-known', 'acme-challenge') },
    };
  },
};

const acmeTiny: Peer = {
  ...{ name: 'acme-tiny', commands: ['acme-tiny', 'openssl'], webroot: true, most: 100 },
  command: (job) => {
    const key = rsa(job) ? 'openssl genrsa 4096' : 'openssl ecparam -name prime256v1 -genkey -noout';
    const names = job.names.map((name) => `DNS:${name}`).join(',');
    return {
      argv: script(
        `cd ${job.dir}`,
        'openssl genrsa 2048 > account.key 2>/dev/null', // it takes RSA only
        `${key} > key.pem 2>/dev/null`,
        `openssl req -new -sha256 -key key.pem -subj / -addext subjectAltName=${names} > request.pem`,
        `acme-tiny --quiet --disable-check --account-key account.key --csr request.pem \\
          --acme-dir webroot/.well-known/acme-challenge --directory-url ${job.directoryUrl} > chain.pem`,
      ),
      env: { SSL_CERT_FILE: job.caFile },
    };
  },
};

/** A web server that gets a certificate for each name; it is done when all are there. */
const caddy: Peer = {
  ...{ name: 'caddy (a certificate a name)', commands: ['caddy'], webroot: false, most: 10 },
  command: (job) => {
    const config = join(job.dir, 'caddy.json');
    const issuer = { module: 'acme', ca: job.directoryUrl, trusted_roots_pem_files: [job.caFile] };
    const key = rsa(job) ? { key_type: 'rsa4096' } : { key_type: 'p256' };
    const server = { listen: [`127.0.0.1:${job.httpPort}`] };
    const http = { http_port: job.httpPort, https_port: job.httpPort + 1, servers: { any: server } };
    const challenges = { http: { alternate_port: job.httpPort }, 'tls-alpn': { disabled: true } };
    const policy = { subjects: job.names, issuers: [{ ...issuer, challenges }], ...key };
    const tls = { certificates: { automate: job.names }, automation: { policies: [policy] } };
    writeFileSync(config, JSON.stringify({ admin: { disabled: true }, apps: { http, tls } }));
    const found = (): number =>
      existsSync(join(job.dir, 'caddy'))
        ? readdirSync(join(job.dir, 'caddy'), { recursive: true, encoding: 'utf8' }).filter((file) =>
            file.endsWith('.crt'),
          ).length
        : 0;
    return {
      argv: ['caddy', 'run', '--config', config],
      env: { XDG_DATA_HOME: job.dir, XDG_CONFIG_HOME: job.dir },
      isDone: () => found() >= job.names.length,
    };
  },
};

export const PEERS: readonly Peer[] = [certbot, lego, uacme, acmeTiny, caddy];

export function prepare(peer: Peer, { dir }: Job): void {
  if (peer.webroot) mkdirSync(join(dir, 'webroot', '.well-known', 'acme-challenge'), { recursive: true });
}
