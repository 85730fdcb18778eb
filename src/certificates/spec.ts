/**
 * What certificate is wanted: from an app's labels (or DOMAINS) to a CertificateSpec.
 *
 * Names that can't be on a certificate are named with their reason and never stop the others: one typo in a label
 * must not cost 99 apps their HTTPS. Which names are fit is domain.ts.
 */
import { printable } from '../printable.ts';
import { checkName } from './domain.ts';

export const KEY_TYPES = ['rsa4096', 'rsa3072', 'rsa2048', 'ec256', 'ec384'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

/** A certificate that is wanted. */
export interface CertificateSpec {
  readonly domains: readonly string[];
  readonly commonName: string | undefined;
  readonly keyType: KeyType;
}

export interface RefusedName {
  readonly name: string;
  readonly reason: string;
}

export interface WantedNames {
  readonly domains: readonly string[];
  readonly refused: readonly RefusedName[];
}

/** The most that Let's Encrypt puts on one certificate; the other public CAs allow no less. */
const MOST_NAMES = 100;
/** ub-common-name of RFC 5280, appendix A.1. */
const LONGEST_COMMON_NAME = 64;
const LONGEST_SHOWN = 100;

/**
 * Own app's HAPROXY_{n}_VHOST labels, all n in numeric order, the order of names kept; `override` (DOMAINS) replaces
 * the labels. At most 100 are kept; the rest is in `refused`.
 */
export function wantedNames(from: {
  readonly labels: Readonly<Record<string, string>>;
  readonly override: string | undefined;
  readonly publicCa: boolean;
}): WantedNames {
  const domains = new Set<string>();
  const refused = new Map<string, string>();
  for (const text of split(from.override?.trim() || vhosts(from.labels))) {
    const verdict = checkName(text, from.publicCa);
    if (verdict.kind === 'placeholder') continue;
    if (verdict.kind === 'refused') refused.set(shown(text), verdict.reason);
    else if (domains.has(verdict.name)) continue;
    else if (domains.size < MOST_NAMES) domains.add(verdict.name);
    else refused.set(shown(verdict.name), `is beyond the ${MOST_NAMES} names that fit on one certificate`);
  }
  return { domains: [...domains], refused: Array.from(refused, ([name, reason]) => ({ name, reason })) };
}

export function specFor(domains: readonly string[], keyType: KeyType): CertificateSpec {
  return { domains, commonName: domains.find((name) => name.length <= LONGEST_COMMON_NAME), keyType };
}

/** Numeric order, because marathon-lb's n is the index of a port: HAPROXY_10_VHOST comes after HAPROXY_2_VHOST. */
function vhosts(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .flatMap(([label, value]) => {
      const index = /^HAPROXY_(\d+)_VHOST$/.exec(label)?.[1];
      return index === undefined ? [] : [{ index: Number(index), value }];
    })
    .sort((a, b) => a.index - b.index)
    .map(({ value }) => value)
    .join(',');
}

/** marathon-lb parts names by commas; people also break lines and leave blanks, and no host name has either. */
function split(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((part) => part !== '');
}

/** A label can be pasted full of anything; a status line can't. */
function shown(name: string): string {
  return printable(name, LONGEST_SHOWN);
}

/** The same names, in whatever order. */
export function sameNames(some: readonly string[], others: readonly string[]): boolean {
  const a = new Set(some);
  const b = new Set(others);
  return a.size === b.size && [...a].every((name) => b.has(name));
}
