/**
 * Would a CA find us under these names? Looked at from here before an order is spent on it, and now and then after.
 *
 * Three verdicts. Good: the right answer came. Bad: DNS, the answer or CAA says that the CA would refuse. Unknown: it
 * cannot be seen from here, as from behind a NAT that does not lead back to itself; a CA may well get through.
 */
import { mapBounded } from '../bounded.ts';
import { isPublicCa } from '../certificates/authority.ts';
import { printable } from '../printable.ts';
import { kindOf } from './addresses.ts';
import { type CaaRecord, judgeCaa, restricts } from './caa.ts';
import type { Prober } from './challenges.ts';
import type { Identities } from './identities.ts';
import { type Addresses, type Found, Names } from './names.ts';
import { type Limits, type ProbeOutcome, type Probing, probe } from './preflight-probe.ts';

export type PreflightVerdict =
  | { readonly kind: 'good' }
  | { readonly kind: 'bad'; readonly why: string; readonly cure: string }
  | { readonly kind: 'unknown'; readonly why: string; readonly cure: string };
export interface PreflightLook {
  readonly domain: string;
  readonly verdict: PreflightVerdict;
}
export interface PreflightDeps {
  readonly challenges: Prober;
  /** Whose rules they are: those of a public CA, or of somebody's own. */
  readonly directoryUrl: string;
  readonly identities: Identities;
  /** Of our account there, if it is made. */
  readonly accountUrl: () => Promise<string | undefined>;
  /** DNS servers; undefined: the system's. */
  readonly resolvers: readonly string[] | undefined;
  /** Addresses of the load balancer, to which a redirect may lead though they are private. */
  readonly loadBalancerHosts: readonly string[];
  readonly limits: PreflightLimits;
  /** For a name that does not lead to us yet: its address is asked for another one, that does. */
  readonly askedAs?: string | undefined;
  readonly signal: AbortSignal;
}
export interface PreflightLimits extends Limits {
  /** The first question to a DNS server. */
  readonly dnsMs: number;
  /** All names together: what was not looked at by then is unknown. */
  readonly wholeMs: number;
}

/** A CA's own patience, or nearly: boulder connects for 10 s (va/http.go). */
export const USUAL_LIMITS: PreflightLimits = { connectMs: 10_000, chainMs: 20_000, dnsMs: 3_000, wholeMs: 60_000 };
const IN_FLIGHT = 8;
const CLIMBED = 20;

export const CURES = {
  noName: 'Make an A or AAAA record for it that leads to the load balancer, or take the name from the labels.',
  dns: 'See whether its name servers answer, and whether PREFLIGHT_RESOLVERS names DNS servers that this app can reach.',
  inside:
    "Let the record lead to the load balancer's public address; where only the cluster's own DNS answers so, name a " +
    'public DNS server in PREFLIGHT_RESOLVERS.',
  v6: 'Correct the AAAA record or remove it: a CA that gets a wrong answer over IPv6 does not ask over IPv4.',
  v4: 'Correct the A record: a CA asks over IPv6 first, but not all visitors can.',
  later: 'Nothing has to be done; it is looked at again.',
  directory: "See whether the CA's directory can be reached from here; its CAA names stand there.",
};

interface Run extends Probing {
  readonly limits: PreflightLimits;
  readonly deps: PreflightDeps;
}

export function preflight(domains: readonly string[], deps: PreflightDeps): Promise<readonly PreflightLook[]> {
  return lookedAt(domains, deps, async (domain, run) => ({ domain, verdict: await inTime(domain, run, lookAt) }));
}

/** Each part for itself, for an operator who asks what exactly is so. */
export interface PreflightParts {
  readonly domain: string;
  /** What DNS says of each family; undefined: the look at all names took too long. */
  readonly addresses: Addresses | undefined;
  readonly answer: PreflightVerdict;
  readonly caa: PreflightVerdict;
}

export function preflightInParts(domains: readonly string[], deps: PreflightDeps): Promise<readonly PreflightParts[]> {
  return lookedAt(domains, deps, async (domain, run) => {
    const [answer, caa] = await Promise.all([lookAtAnswer, lookAtCaa].map((look) => inTime(domain, run, look)));
    const addresses = run.signal.aborted ? undefined : await run.names.addresses(domain.toLowerCase());
    return { domain, addresses, answer: answer ?? GOOD, caa: caa ?? GOOD };
  });
}

const GOOD: PreflightVerdict = { kind: 'good' };

async function lookedAt<T>(
  domains: readonly string[],
  deps: PreflightDeps,
  look: (domain: string, run: Run) => Promise<T>,
): Promise<readonly T[]> {
  const { challenges, directoryUrl, resolvers, limits } = deps;
  const whole = AbortSignal.timeout(limits.wholeMs);
  const ended = new AbortController(); // the DNS questions end with the run, whatever became of it
  const signal = AbortSignal.any([deps.signal, whole, ended.signal]);
  const names = new Names({ servers: resolvers, timeoutMs: limits.dnsMs, signal });
  const { token, answer } = challenges.newProbe();
  const trusted = new Set(deps.loadBalancerHosts);
  const publicCa = isPublicCa(directoryUrl);
  const run: Run = { token, answer, publicCa, names, trusted, limits, signal, closed: new Map(), deps };
  try {
    return await mapBounded(domains, IN_FLIGHT, (domain) => look(domain, run));
  } finally {
    ended.abort();
    challenges.withdraw(token);
  }
}

type LookAt = (domain: string, run: Run) => Promise<PreflightVerdict>;

async function inTime(domain: string, run: Run, look: LookAt): Promise<PreflightVerdict> {
  try {
    run.signal.throwIfAborted();
    return await look(domain.toLowerCase(), run);
  } catch (error) {
    run.deps.signal.throwIfAborted(); // stopping is nobody's failure
    if (!run.signal.aborted) throw error;
    const why = `${domain}: the look at all names took more than ${run.limits.wholeMs / 1000} s`;
    return { kind: 'unknown', why, cure: CURES.later };
  }
}

/** The worse of the two: what the address answers, and what CAA allows. */
async function lookAt(domain: string, run: Run): Promise<PreflightVerdict> {
  const answered = await lookAtAnswer(domain, run);
  if (answered.kind === 'bad') return answered;
  const allowed = await lookAtCaa(domain, run);
  return allowed.kind === 'good' || (allowed.kind === 'unknown' && answered.kind === 'unknown') ? answered : allowed;
}

async function lookAtAnswer(domain: string, run: Run): Promise<PreflightVerdict> {
  const found = await run.names.addresses(domain);
  run.signal.throwIfAborted();
  const reachable = (address: string): boolean =>
    kindOf(address) === 'public' || (!run.publicCa && kindOf(address) === 'private');
  const v6 = found.v6.records.find(reachable);
  const v4 = found.v4.records.find(reachable);
  if (v6 === undefined && v4 === undefined) return noAddress(domain, found, run);
  const asked = run.deps.askedAs ?? domain;
  const [over6, over4] = await Promise.all([v6 && probe(asked, v6, run), v4 && probe(asked, v4, run)]);
  const verdict = together(over6 || undefined, over4 || undefined);
  return verdict.kind === 'good' ? verdict : { ...verdict, why: await named(domain, verdict.why, run) };
}

async function noAddress(domain: string, { v4, v6 }: Addresses, run: Run): Promise<PreflightVerdict> {
  const bad = async (why: string, cure: string): Promise<PreflightVerdict> => {
    return { kind: 'bad', why: await named(domain, why, run), cure };
  };
  const [inside] = [...v6.records, ...v4.records];
  if (inside !== undefined) return bad(`leads to ${inside}, which no CA can reach from outside`, CURES.inside);
  const failed = v4.failed ?? v6.failed;
  if (failed !== undefined) {
    return {
      kind: 'unknown',
      why: `${domain}: its address cannot be looked up: DNS answers ${failed}`,
      cure: CURES.dns,
    };
  }
  const missing = [v4, v6].some((one) => one.missing === 'NXDOMAIN')
    ? 'does not exist in DNS (NXDOMAIN)'
    : 'has neither an A nor an AAAA record in DNS';
  return bad(missing, CURES.noName);
}

/** A CA asks over IPv6 where it can, and over IPv4 only when the very first connection does not come about. */
function together(over6: ProbeOutcome | undefined, over4: ProbeOutcome | undefined): PreflightVerdict {
  if (over6 === undefined || over4 === undefined) return verdictOf(over6 ?? over4);
  if (over6.kind === 'right') {
    if (over4.kind !== 'wrong') return { kind: 'good' };
    return {
      kind: 'unknown',
      why: `the right answer comes over IPv6, but not over IPv4: ${over4.why}`,
      cure: CURES.v4,
    };
  }
  if (over6.kind === 'unreached' && over6.atOnce) return verdictOf(over4);
  if (over4.kind !== 'right') return verdictOf(over6);
  const why = `the right answer comes over IPv4, but not over IPv6: ${over6.why}`;
  return { kind: over6.kind === 'wrong' ? 'bad' : 'unknown', why, cure: CURES.v6 };
}

function verdictOf(outcome: ProbeOutcome | undefined): PreflightVerdict {
  if (outcome === undefined || outcome.kind === 'right') return { kind: 'good' };
  const { why, cure } = outcome;
  return { kind: outcome.kind === 'wrong' ? 'bad' : 'unknown', why, cure };
}

/** With the name it is an alias of, for then another record is to be corrected. */
async function named(domain: string, why: string, { names }: Run): Promise<string> {
  const alias = await names.alias(domain);
  const shown = alias && printable(alias, 253);
  return shown === undefined ? `${domain}: ${why}` : `${domain} (an alias of ${shown}): ${why}`;
}

function accountCure(zone: string, ours: string | undefined): string {
  return ours === undefined
    ? `The first order makes our account: put its accounturi into the CAA record at ${zone} then, or take accounturi out of it until then.`
    : `Put accounturi=${ours} into the CAA record at ${zone}, or take accounturi out of it.`;
}

/** The records nearest to the name count, and only they (RFC 8659 §3). */
async function lookAtCaa(domain: string, run: Run): Promise<PreflightVerdict> {
  const labels = domain.split('.').slice(-CLIMBED);
  for (let at = 0; at < labels.length; at++) {
    const zone = labels.slice(at).join('.');
    const found = await run.names.caa(zone);
    run.signal.throwIfAborted();
    if (found.records.length > 0 || found.failed !== undefined) return judged(domain, zone, found, run);
  }
  return { kind: 'good' };
}

async function judged(domain: string, zone: string, found: Found<CaaRecord>, run: Run): Promise<PreflightVerdict> {
  const { records, failed } = found;
  if (failed === undefined && !restricts(records)) return { kind: 'good' };
  const { identities: ask, accountUrl, signal } = run.deps;
  const identities = await ask(run.signal).catch((error: NodeJS.ErrnoException) => error);
  signal.throwIfAborted();
  if (identities === undefined) return { kind: 'good' }; // this CA goes by no CAA record that could be compared
  if (failed !== undefined) {
    return {
      kind: 'unknown',
      why: `${domain}: CAA of ${zone} cannot be looked up: DNS answers ${failed}`,
      cure: CURES.dns,
    };
  }
  if (identities instanceof Error) {
    const reason = identities.code ?? identities.message;
    const why = `${domain}: ${zone} has CAA records, and which name the CA has there cannot be read (${reason})`;
    return { kind: 'unknown', why, cure: CURES.directory };
  }
  const ours = await accountUrl();
  const verdict = judgeCaa(records, { identities, accountUrl: ours });
  if (verdict.kind === 'allowed') return { kind: 'good' };
  const cure = verdict.ofAccount
    ? accountCure(zone, ours)
    : `Add the CAA record 0 issue "${identities[0]}" at ${zone}, or correct the ones that are there.`;
  return {
    kind: verdict.kind === 'refused' ? 'bad' : 'unknown',
    why: `${domain}: CAA of ${zone}: ${verdict.why}`,
    cure,
  };
}
