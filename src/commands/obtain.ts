/**
 * `obtain --out DIR`: a certificate for `DOMAINS` as files, without a Marathon: for a load balancer that is no app, for a
 * first try of a CA, and for the bench.
 *
 * It is the keeper's own order, with the keeper's memory in a folder beside the files: killed anywhere, the next run
 * goes on; run by cron, it orders when renewal is due and says so otherwise. It never touches STATE_DIR, which may be a
 * running keeper's, and never a file that it did not write.
 */
import { chmod, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Challenges } from '../acme/challenges.ts';
import { keyTypeOf } from '../acme/keys.ts';
import { type OrderProgress, obtain as orderAtCa } from '../acme/order.ts';
import { codeOf, readText, replaceFile } from '../atomic-file.ts';
import { isPublicCa } from '../certificates/authority.ts';
import { budgetsOf, validationsOf } from '../certificates/budgets.ts';
import type { CertificateBundle } from '../certificates/bundle.ts';
import { holdOnAll, holdOnName, holdOnSet } from '../certificates/holds.ts';
import type { Ledger } from '../certificates/ledger.ts';
import { renewAt } from '../certificates/renewal.ts';
import { type CertificateSpec, sameNames, specFor, wantedNames } from '../certificates/spec.ts';
import { type Config, ConfigError, type Environment, parseConfig } from '../config.ts';
import { type IssueTools, issue, noteFailure } from '../issue.ts';
import { authorityOf, policyOf, readCaFiles } from '../parts.ts';
import { Store, type StoredState } from '../store.ts';
import { listenPublic } from '../web/public.ts';
import type { Context, Given } from './command.ts';

const MEMORY = '.letsencrypt-dcos';
const LARGEST_FILE = 1 << 20;

interface Job {
  readonly config: Config;
  readonly out: string;
  readonly spec: CertificateSpec;
  readonly store: Store;
}

/** What became of it; `ordered` is false where the certificate at hand still does. */
interface Outcome {
  readonly bundle: CertificateBundle;
  readonly ordered: boolean;
}

export async function obtain(context: Context, { json, options }: Given): Promise<number> {
  const { config, out, spec } = understand(context.env, options.out);
  await mkdir(out, { recursive: true });
  const store = new Store(join(out, MEMORY));
  await store.open();
  try {
    const outcome = await certificate({ config, out, spec, store }, context);
    context.out(json ? asJson(outcome, out) : asText(outcome, out));
    return 0;
  } finally {
    await store.idle();
  }
}

/** A name that cannot be on the certificate is a mistake here: somebody asked for just these. */
function understand(env: Environment, dir: string | undefined): Omit<Job, 'store'> {
  if (dir === undefined || dir.trim() === '') throw new ConfigError(['obtain needs a folder for the files: --out DIR']);
  const config = parseConfig(env);
  const publicCa = isPublicCa(config.acme.directoryUrl);
  const { domains, refused } = wantedNames({ labels: {}, override: config.domains, publicCa });
  const problems = refused.map(({ name, reason }) => `DOMAINS: ${name} ${reason}`);
  if (domains.length === 0 && refused.length === 0)
    problems.push('DOMAINS must hold the names for the certificate, with commas between');
  if (problems.length > 0) throw new ConfigError(problems);
  return { config, out: resolve(dir), spec: specFor(domains, config.acme.keyType) };
}

async function certificate(job: Job, context: Context): Promise<Outcome> {
  const { store, out } = job;
  const stored = await store.read();
  await refuseForeign(out, stored);
  if (!stored.writable) throw new Error(stored.problems.join('\n'));
  const kept = keptFor(job, stored);
  if (kept === undefined) {
    const reason = mustWait(job, stored.ledger);
    if (reason !== undefined) throw new Error(reason);
  }
  const bundle = kept ?? (await order(job, stored, context));
  await write(out, bundle);
  return { bundle, ordered: kept === undefined };
}

/** What is there already and still does. */
function keptFor({ config, spec }: Job, { bundle, bundleDirectory }: StoredState): CertificateBundle | undefined {
  if (bundle === undefined || bundleDirectory !== config.acme.directoryUrl) return undefined;
  const fits = sameNames(bundle.domains, spec.domains) && keyTypeOf(filesOf(bundle)['privkey.pem']) === spec.keyType;
  return fits && renewAt(bundle) > new Date() ? bundle : undefined;
}

/** The CA's own word, and the shares of a public CA's limits, hold for people as for the keeper; our back-off does not. */
function mustWait({ config, spec }: Job, ledger: Ledger): string | undefined {
  const { directoryUrl: directory } = config.acme;
  const now = new Date();
  const attempt = { directory, settings: '', now, longestMs: undefined };
  const holds = [holdOnAll(ledger, attempt), holdOnSet(ledger, spec.domains, attempt)];
  const held = [...holds, ...spec.domains.map((name) => holdOnName(ledger, name, attempt))].find((one) => one?.asked);
  if (held?.asked)
    return `Nothing was ordered, for the CA asked to be left alone until ${held.asked.toISOString()}; try again then: ${held.last.problem}`;
  if (!isPublicCa(directory)) return undefined;
  const spending = { directory, now, urgent: true, shortLived: false };
  const budgets = [
    ...budgetsOf(ledger, spec.domains, spending),
    ...spec.domains.map((name) => validationsOf(ledger, name, spending)),
  ];
  const full = budgets.find(({ nextFreeAt }) => nextFreeAt !== undefined);
  if (full?.nextFreeAt === undefined) return undefined;
  const { used, what, limit, nextFreeAt } = full;
  return `${used} ${what}, and the CA allows ${limit}: nothing was ordered; try again after ${nextFreeAt.toISOString()}`;
}

async function order(job: Job, stored: StoredState, context: Context): Promise<CertificateBundle> {
  const { config, spec, store } = job;
  const challenges = new Challenges();
  const files = await readCaFiles(config);
  const authority = authorityOf(config, files.acme);
  const tools: IssueTools = {
    directoryUrl: config.acme.directoryUrl,
    settingsMark: policyOf(config, files).settingsMark,
    store,
    obtain: async (wanted, resume, deps) =>
      orderAtCa(wanted, resume, { ...deps, challenges, authority: await authority() }),
    onUnsaved: (error) => context.err(`${error.message}\n`),
  };
  const peers = { answerTo: async () => undefined };
  const { listenAddress: host, httpPort: port } = config;
  const listener = await listenPublic({ host, port, challenges, peers, isAlive: () => true });
  const show = progressTo(context);
  try {
    return await issue(tools, { spec, resume: stored.order }, { onProgress: show, signal: context.signal });
  } catch (error) {
    if (!context.signal.aborted) await noteFailure(tools, spec, error as Error);
    throw error;
  } finally {
    if (context.terminal.err) context.err('\n');
    await listener.close();
  }
}

function progressTo({ terminal, err }: Context): (progress: OrderProgress) => void {
  if (!terminal.err) return () => undefined;
  return ({ step, validated, total }) => {
    const count = step === 'validating' ? ` ${validated} of ${total}` : '';
    err(`\r${`${step}${count} …`.padEnd(40)}`);
  };
}

const NAMES = ['fullchain.pem', 'privkey.pem', 'bundle.pem'] as const;
type Files = Readonly<Record<(typeof NAMES)[number], string>>;

/** `bundle.pem` is what HAProxy takes: leaf, chain, key. */
function filesOf({ pem }: CertificateBundle): Files {
  const at = pem.search(/-----BEGIN [A-Z ]*PRIVATE KEY-----/);
  return { 'fullchain.pem': pem.slice(0, at), 'privkey.pem': pem.slice(at), 'bundle.pem': pem };
}

/** A private key that somebody else put there is not ours to replace. */
async function refuseForeign(out: string, { bundle, previous }: StoredState): Promise<void> {
  const ours = [bundle, previous].flatMap((one) => (one === undefined ? [] : filesOf(one)));
  for (const name of NAMES) {
    const found = await textIn(out, name);
    if (found === undefined || ours.some((files) => files[name] === found)) continue;
    throw new Error(
      `${join(out, name)} was not written by letsencrypt-dcos (or was changed): it is left alone; move it away, or choose another folder`,
    );
  }
}

/** The key's files first: whoever sees the new certificate finds the key that belongs to it. */
async function write(out: string, bundle: CertificateBundle): Promise<void> {
  const files = filesOf(bundle);
  for (const name of ['privkey.pem', 'bundle.pem', 'fullchain.pem'] as const) {
    if ((await textIn(out, name)) !== files[name]) await replaceFile(out, name, files[name]);
  }
  await chmod(join(out, 'fullchain.pem'), 0o644); // certificates are public; the others stay at 0600
}

/** Undefined: there is no such file. */
async function textIn(out: string, name: string): Promise<string | undefined> {
  try {
    return await readText(join(out, name), LARGEST_FILE);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Error(
      `${join(out, name)} cannot be read, so it is left alone: ${(error as Error).message}; choose another folder by --out`,
    );
  }
}

function asText({ bundle, ordered }: Outcome, out: string): string {
  const { domains, notAfter } = bundle;
  const names = domains.length === 1 ? domains[0] : `${domains.length} names`;
  const until = `${names}, until ${notAfter.toISOString()}: ${NAMES.map((name) => join(out, name)).join(', ')}\n`;
  if (ordered) return `A certificate for ${until}`;
  return `Nothing was ordered, for renewal is due at ${renewAt(bundle).toISOString()}. The certificate at hand is for ${until}`;
}

function asJson({ bundle, ordered }: Outcome, out: string): string {
  const { domains, issuer, notBefore, notAfter, fingerprint } = bundle;
  const files = Object.fromEntries(NAMES.map((name) => [name, join(out, name)]));
  const facts = { ordered, domains, issuer, notBefore, notAfter, renewAt: renewAt(bundle), fingerprint, files };
  return `${JSON.stringify(facts, null, 2)}\n`;
}
