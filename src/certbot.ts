/**
 * What certbot left in the folder, read so that an upgrade from the program that ran it orders nothing.
 *
 * Only looks: certbot's files are never changed, whatever is wrong with them becomes a sentence that quotes none of
 * them. The layout: certbot, docs/using.rst "Where are my certificates?"; the accounts: certbot/_internal/account.py.
 */
import { createPrivateKey, type JsonWebKey } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, readText } from './atomic-file.ts';
import { currentDirectoryUrl, formerDirectoryUrl } from './certificates/authority.ts';
import { BundleError, CertificateBundle } from './certificates/bundle.ts';

/** One of certbot's certificates: under this name it has been renewed since it was first made. */
export interface Lineage {
  readonly name: string;
  /** The ACME directory that its renewal file names, v1 told as v2; undefined: nothing tells. */
  readonly directory: string | undefined;
  readonly bundle: CertificateBundle;
}

export interface FoundAccount {
  readonly id: string;
  /** Undefined: from before ACME v2, or of another server; the CA finds the account by its key. */
  readonly url: string | undefined;
  readonly keyPem: string;
}

/** What there is, and a sentence for each thing that is there and cannot be used. */
export interface Found<T> {
  readonly found: readonly T[];
  readonly problems: readonly string[];
}

/** Everything of certbot's is far below; a folder with more certificates than this belongs to more than a tool like us. */
const LARGEST_FILE = 256 * 1024;
const MOST_LINEAGES = 50;
/** How many of a lineage's archived versions are tried, newest first. */
const VERSIONS_TRIED = 3;

export async function findLineages(folder: string): Promise<Found<Lineage>> {
  const read = await Promise.all((await lineageNames(folder)).map((name) => readLineage(folder, name)));
  const closed = await Promise.all(['live', 'archive'].map((part) => cannotList(join(folder, part))));
  return sorted([...closed, ...read]);
}

/** The account that certbot's certificates were made with, else the newest: best first. */
export async function findAccounts(folder: string, directoryUrl: string): Promise<Found<FoundAccount>> {
  const servers = [directoryUrl, formerDirectoryUrl(directoryUrl)].filter((url) => url !== undefined);
  const used = await accountsInUse(folder);
  const read = await Promise.all(servers.map((server) => accountsAt(folder, server, directoryUrl)));
  const { found, problems } = sorted([await cannotList(join(folder, 'accounts')), ...read.flat()]);
  const rank = ({ id, createdAt }: Dated): string => `${used.has(id) ? 1 : 0}${createdAt}`;
  return { found: [...found].sort((a, b) => (rank(a) < rank(b) ? 1 : -1)), problems };
}

function sorted<T extends object>(read: readonly (T | string | undefined)[]): Found<T> {
  const there = read.filter((one) => one !== undefined);
  const problems = there.filter((one) => typeof one === 'string');
  return { found: there.filter((one) => typeof one !== 'string'), problems };
}

// Certificates

/** By all three places, for each alone may have been lost when the folder was copied. */
async function lineageNames(folder: string): Promise<readonly string[]> {
  const [live, archive, renewal] = await Promise.all([
    namesIn(join(folder, 'live')),
    namesIn(join(folder, 'archive')),
    namesIn(join(folder, 'renewal')),
  ]);
  const renewed = renewal.filter((name) => name.endsWith('.conf')).map((name) => name.slice(0, -'.conf'.length));
  const all = new Set([...live, ...archive, ...renewed]);
  return [...all].filter((name) => name !== 'README').slice(0, MOST_LINEAGES);
}

/** Undefined: an empty folder, which is nothing to tell of. */
async function readLineage(folder: string, name: string): Promise<Lineage | string | undefined> {
  const directory = await directoryOf(folder, name);
  const problems: string[] = [];
  for (const files of await versions(folder, name)) {
    try {
      return { name, directory, bundle: await readBundle(files) };
    } catch (error) {
      problems.push(told(error));
    }
  }
  // A link in live/ that leads nowhere says less than what is wrong with the file itself.
  const problem = problems.find((one) => !one.includes('ENOENT')) ?? problems[0];
  return (
    problem &&
    `certbot's certificate ${name} in ${folder} cannot be imported: ${problem}; unless another certificate is found, a new one is ordered`
  );
}

/** `server` of the renewal file; who copied without it, or edited it, has told nothing. */
async function directoryOf(folder: string, name: string): Promise<string | undefined> {
  const server = settingIn(await renewalText(folder, name), 'server');
  try {
    return server && currentDirectoryUrl(server).url;
  } catch {
    return server; // another CA's ACME v1: known, and none that we can be set to
  }
}

function renewalText(folder: string, name: string): Promise<string> {
  return readText(join(folder, 'renewal', `${name}.conf`), LARGEST_FILE).catch(() => '');
}

function settingIn(conf: string, name: string): string | undefined {
  return new RegExp(`^[ \\t]*${name}[ \\t]*=[ \\t]*(\\S+)[ \\t]*$`, 'm').exec(conf)?.[1];
}

interface Files {
  readonly at: (part: string) => string;
}

/**
 * live/ is links to the newest version in archive/. Where they lead nowhere (copied without the links' targets) or to a
 * mixture (certbot killed while it moved one after the other), a version in archive/ is whole all the same.
 */
async function versions(folder: string, name: string): Promise<readonly Files[]> {
  const live = join(folder, 'live', name);
  const archive = join(folder, 'archive', name);
  const numbers = (await namesIn(archive)).flatMap((file) => /^privkey(\d+)\.pem$/.exec(file)?.[1] ?? []);
  const newest = numbers.sort((a, b) => Number(b) - Number(a)).slice(0, VERSIONS_TRIED);
  const linked = (await namesIn(live)).some((file) => file.endsWith('.pem'));
  return [
    ...(linked ? [{ at: (part: string) => join(live, `${part}.pem`) }] : []),
    ...newest.map((n) => ({ at: (part: string) => join(archive, `${part}${n}.pem`) })),
  ];
}

async function readBundle({ at }: Files): Promise<CertificateBundle> {
  const keyPem = await read(at('privkey'));
  const chainPem = await read(at('fullchain')).catch(async () => (await read(at('cert'))) + (await read(at('chain'))));
  try {
    return CertificateBundle.assemble({ chainPem, keyPem });
  } catch (error) {
    if (error instanceof BundleError) throw new Error(`${at('fullchain')} with its privkey.pem ${error.message}`);
    throw error;
  }
}

// Accounts

interface Dated extends FoundAccount {
  /** As certbot wrote it, which sorts as it is. */
  readonly createdAt: string;
}

async function accountsAt(folder: string, server: string, directoryUrl: string): Promise<readonly (Dated | string)[]> {
  const { host, pathname } = new URL(server);
  const place = join(folder, 'accounts', host, pathname);
  const ids = (await namesIn(place)).filter((id) => /^[0-9a-f]{32}$/.test(id));
  return Promise.all(ids.map((id) => readAccount(place, id, directoryUrl)));
}

async function readAccount(place: string, id: string, directoryUrl: string): Promise<Dated | string> {
  try {
    const keyPem = pemOf(await json(join(place, id, 'private_key.json')));
    const uri = await field(join(place, id, 'regr.json'), 'uri');
    const createdAt = (await field(join(place, id, 'meta.json'), 'creation_dt')) ?? '';
    return { id, url: uri && isAccountOf(uri, directoryUrl) ? uri : undefined, keyPem, createdAt };
  } catch (error) {
    const sentence = `certbot's account ${join(place, id)} cannot be imported: ${told(error)}`;
    return `${sentence}; unless another one is found, a new account is made for the next order`;
  }
}

/** An ACME v1 address is at another host: to v2 the same account goes by another one. */
function isAccountOf(uri: string, directoryUrl: string): boolean {
  const host = URL.parse(uri)?.host;
  return host !== undefined && host === URL.parse(directoryUrl)?.host;
}

function pemOf(jwk: unknown): string {
  try {
    const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' });
    return key.export({ type: 'pkcs8', format: 'pem' }).toString();
  } catch {
    throw new Error('private_key.json holds no private key (RFC 7517)');
  }
}

async function accountsInUse(folder: string): Promise<ReadonlySet<string>> {
  const texts = await Promise.all((await lineageNames(folder)).map((name) => renewalText(folder, name)));
  return new Set(texts.flatMap((text) => settingIn(text, 'account') ?? []));
}

// Files

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

/** certbot keeps live/, archive/ and accounts/ from everybody but root. */
async function cannotList(folder: string): Promise<string | undefined> {
  try {
    await readdir(folder);
    return undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    return `what certbot left in ${folder} cannot be imported: it cannot be read (${code})${cureOf(error)}; until then it counts as not there`;
  }
}

async function field(path: string, name: string): Promise<string | undefined> {
  const value: unknown = await json(path).catch(() => undefined);
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  return typeof found === 'string' ? found : undefined;
}

async function json(path: string): Promise<unknown> {
  const text = await read(path);
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${path} is no whole JSON document`);
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readText(path, LARGEST_FILE);
  } catch (error) {
    throw new Error(`${path} cannot be read (${codeOf(error) ?? told(error)})${cureOf(error)}`);
  }
}

function cureOf(error: unknown): string {
  const isForbidden = codeOf(error) === 'EACCES' || codeOf(error) === 'EPERM';
  return isForbidden ? `: it must belong to uid ${process.getuid?.() ?? '?'}, as which this runs (chown -R)` : '';
}

function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
