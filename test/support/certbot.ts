/**
 * certbot's folder as certbot 2.1 writes it, laid out by hand: what it makes of a certificate and an account is told
 * apart by names and modes, so both are kept as they are there.
 */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Issued } from './certificates.ts';

export interface LineageOptions {
  /** Default: Let's Encrypt; null: no renewal file. */
  readonly server?: string | null;
  /** The account named in the renewal file. */
  readonly account?: string;
  /** Default 1. */
  readonly version?: number;
}

const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';
export const ACCOUNT_ID = '07a19b06b2835a00a8b6dbc08b1a281b';

/** archive/NAME/…N.pem, live/NAME/… as links to them, renewal/NAME.conf. */
export async function layOutLineage(
  dir: string,
  name: string,
  { chainPem, keyPem }: Pick<Issued, 'chainPem' | 'keyPem'>,
  { server = LETS_ENCRYPT, account = ACCOUNT_ID, version = 1 }: LineageOptions = {},
): Promise<void> {
  const [archive, live] = [join(dir, 'archive', name), join(dir, 'live', name)];
  const [leaf = '', ...chain] = chainPem.split(/(?=-----BEGIN)/);
  const parts = { cert: leaf, chain: chain.join(''), fullchain: chainPem, privkey: keyPem };
  for (const folder of [archive, live]) await mkdir(folder, { recursive: true });
  for (const [part, text] of Object.entries(parts)) {
    await writeFile(join(archive, `${part}${version}.pem`), text, { mode: part === 'privkey' ? 0o600 : 0o644 });
    await symlink(`../../archive/${name}/${part}${version}.pem`, join(live, `${part}.pem`));
  }
  await writeFile(join(live, 'README'), 'This directory contains your keys and certificates.\n');
  await writeFile(join(dir, 'live', 'README'), 'This directory contains your keys and certificates.\n');
  if (server !== null) await layOutRenewal(dir, name, server, account);
}

async function layOutRenewal(dir: string, name: string, server: string, account: string): Promise<void> {
  await mkdir(join(dir, 'renewal'), { recursive: true });
  const lines = [
    '# renew_before_expiry = 30 days',
    'version = 2.1.0',
    `archive_dir = ${dir}/archive/${name}`,
    ...['cert', 'privkey', 'chain', 'fullchain'].map((part) => `${part} = ${dir}/live/${name}/${part}.pem`),
    '',
    '# Options used in the renewal process',
    '[renewalparams]',
    `account = ${account}`,
    `server = ${server}`,
    'authenticator = standalone',
    'key_type = rsa',
    '',
  ];
  await writeFile(join(dir, 'renewal', `${name}.conf`), lines.join('\n'));
}

export interface AccountOptions {
  readonly id?: string;
  /** The account's URL, as regr.json has it. */
  readonly uri: string;
  readonly keyPem?: string;
  readonly createdAt?: string;
}

/** accounts/HOST/PATH/ID: the key as JWK, in a file that only its owner may read. Returns the key as PEM. */
export async function layOutAccount(
  dir: string,
  server: string,
  { id = ACCOUNT_ID, uri, keyPem = rsaKey(), createdAt = '2026-09-01T08:00:00Z' }: AccountOptions,
): Promise<string> {
  const { host, pathname } = new URL(server);
  const folder = join(dir, 'accounts', host, pathname, id);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const jwk = createPrivateKey(keyPem).export({ format: 'jwk' });
  await writeFile(join(folder, 'private_key.json'), JSON.stringify(jwk), { mode: 0o400 });
  await writeFile(join(folder, 'regr.json'), JSON.stringify({ body: {}, uri }));
  await writeFile(join(folder, 'meta.json'), JSON.stringify({ creation_dt: createdAt, creation_host: 'localhost' }));
  return keyPem;
}

/** As josepy makes them for certbot. */
export function rsaKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
