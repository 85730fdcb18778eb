/**
 * Each name for itself: what DNS says, whether it leads to us through every load balancer and as a CA would ask, whether
 * CAA lets the CA issue, and what is served for it. Pure.
 *
 * A name that is not in the labels yet is looked at, too: whether it could be added.
 */
import type { Addresses, Found } from '../acme/names.ts';
import type { PreflightParts, PreflightVerdict } from '../acme/preflight.ts';
import type { Policy } from '../plan/observation.ts';
import { routeFinding, servedFinding } from '../plan/sentences.ts';
import type { RouteLook } from '../route.ts';
import type { ServedLook } from '../served.ts';
import { type Diagnosis, diagnosis, type Health } from './diagnosis.ts';

export interface NamesContext {
  readonly policy: Policy;
  /** Names that the labels have already. */
  readonly wanted: readonly string[];
  /** A task of ours runs that answers challenges; without one, no way can lead to it. */
  readonly isKept: boolean;
  /** The name that the address of a new one was asked for. */
  readonly askedAs: string | undefined;
}

/** Where PREFLIGHT=off, the operator knows that what is seen from here is not what a CA sees. */
function healthOf({ kind }: Pick<PreflightVerdict, 'kind'>, { policy }: NamesContext): Health {
  if (kind === 'bad') return policy.preflight === 'off' ? 'unknown' : 'wrong';
  return kind;
}

const NOBODY = 'cannot be seen: no task of ours runs that would answer';

export function aboutDns({ domain, addresses, answer }: PreflightParts, context: NamesContext): Diagnosis {
  const of = ['dns', domain] as const;
  if (addresses === undefined) return diagnosis(of, 'unknown', 'DNS did not answer in time');
  const { v4, v6 } = addresses;
  const says = `A ${recordsOf(v4)}, AAAA ${recordsOf(v6)}`;
  if (v4.records.length + v6.records.length > 0) return diagnosis(of, 'good', says);
  const cure = answer.kind === 'good' ? undefined : answer.cure;
  return diagnosis(of, hasFailed(addresses) ? 'unknown' : healthOf({ kind: 'bad' }, context), says, cure);
}

function recordsOf({ records, missing, failed }: Found<string>): string {
  if (records.length > 0) return records.slice(0, 4).join(' ') + (records.length > 4 ? ' …' : '');
  return failed ?? (missing === 'NXDOMAIN' ? 'none (NXDOMAIN)' : 'none');
}

function hasFailed({ v4, v6 }: Addresses): boolean {
  return v4.failed !== undefined || v6.failed !== undefined;
}

/** As a CA would ask: by the addresses of DNS, from here. */
export function aboutReach({ domain, addresses, answer }: PreflightParts, context: NamesContext): readonly Diagnosis[] {
  const { wanted, isKept, askedAs } = context;
  const of = ['reach', domain] as const;
  const isNew = !wanted.includes(domain);
  const hasAddress = addresses !== undefined && addresses.v4.records.length + addresses.v6.records.length > 0;
  if (!hasAddress) return []; // the line about DNS says it
  if (!isKept || (isNew && askedAs === undefined)) return [diagnosis(of, 'unknown', NOBODY)];
  if (answer.kind !== 'good') {
    const health = healthOf(answer, context);
    const verdict = isNew && health === 'wrong' ? 'warning' : health;
    return [diagnosis(of, verdict, withoutName(domain, answer.why), answer.cure)];
  }
  const says = isNew
    ? `its address leads to this load balancer (asked there for ${askedAs}): it can be added to the labels`
    : 'we answer as a CA would ask';
  return [diagnosis(of, 'good', says)];
}

export function aboutCaa({ domain, caa }: PreflightParts, context: NamesContext): Diagnosis {
  const of = ['caa', domain] as const;
  if (caa.kind === 'good') return diagnosis(of, 'good', 'lets this CA issue');
  return diagnosis(of, healthOf(caa, context), withoutName(domain, caa.why), caa.cure);
}

/** The subject stands before the sentence already. */
function withoutName(domain: string, why: string): string {
  return why.startsWith(`${domain}: `) ? why.slice(domain.length + 2) : why;
}

export function aboutRoute(look: RouteLook, { policy, wanted, isKept }: NamesContext): Diagnosis {
  const { domain, instance, verdict } = look;
  const of = ['route', `${domain} via ${instance.host}`] as const;
  if (verdict.kind === 'ours') return diagnosis(of, 'good', 'the challenge path leads to us');
  const { why, cure } = routeFinding(look, policy);
  const says = why.replace(/^.*? through marathon-lb at [^ ]+: /, '');
  if (verdict.kind === 'unreachable') return diagnosis(of, 'wrong', says, cure);
  if (!isKept) return diagnosis(of, 'unknown', `${NOBODY} (${says})`);
  if (wanted.includes(domain)) return diagnosis(of, 'wrong', says, cure);
  return diagnosis(of, 'unknown', `it is not in the labels, so its challenge path does not lead to us yet (${says})`);
}

export function aboutServed(look: ServedLook, expected: string): Diagnosis {
  const { domain, endpoint, verdict } = look;
  const of = ['served', `${domain} by ${endpoint}`] as const;
  const { why, cure } = servedFinding(look, expected);
  const says = why.replace(/^(marathon-lb at )?\S+ /, '');
  if (verdict.kind === 'served') return diagnosis(of, 'good', 'our certificate');
  return diagnosis(of, verdict.kind === 'other' ? 'wrong' : 'warning', says, cure);
}
