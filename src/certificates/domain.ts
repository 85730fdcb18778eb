/**
 * One DNS name, as an operator typed it: made comparable, or refused with a reason he understands.
 *
 * What no certificate authority can put on an http-01 certificate is refused for every one of them; what only the
 * public ones rule out (Let's Encrypt's policy package, RFC 6761) is left to a private CA to decide.
 */
import { isIPv6 } from 'node:net';
import { domainToASCII, domainToUnicode } from 'node:url';
import { printable } from '../printable.ts';

export type NameVerdict =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'placeholder' } // RFC 6761 §6.4: `.invalid` never resolves, so it marks a label not yet edited
  | { readonly kind: 'refused'; readonly reason: string };

/** RFC 6761 and its followers, and what DC/OS resolves inside the cluster only: no public CA may issue for these. */
const SPECIAL_USE = [
  'local',
  'internal',
  'localhost',
  'test',
  'example',
  'invalid',
  'onion',
  'alt',
  'home.arpa',
  'mesos',
  'dcos.directory',
];

type Check = (name: string) => string | undefined;

const checks: readonly Check[] = [
  (name) => (name === '' ? 'is empty' : undefined),
  (name) => (name.includes('*') ? 'is a wildcard, which needs a DNS challenge; list the names one by one' : undefined),
  (name) => (looksLikeAddress(name) ? 'is an IP address; a certificate needs a host name' : undefined),
  (name) => (name.includes('://') ? 'is a URL; write the host name alone' : undefined),
  (name) => (/^[^:]+:\d+$/.test(name) ? 'has a port; write the host name alone' : undefined),
  (name) => (name.includes('/') ? 'has a path; write the host name alone' : undefined),
  strangeCharacter,
];

/** On the ASCII form, where lengths count. */
const asciiChecks: readonly Check[] = [
  (name) => (looksLikeAddress(name) ? 'is an IP address; a certificate needs a host name' : undefined),
  strangeCharacter,
  (name) => (name.split('.').includes('') ? 'has an empty part (two dots in a row, or one in front)' : undefined),
  (name) => (name.length > 253 ? `has ${name.length} characters; DNS allows 253` : undefined),
  (name) => (name.split('.').some((label) => label.length > 63) ? 'has a part of more than 63 characters' : undefined),
  (name) => (/(^|\.)-|-(\.|$)/.test(name) ? 'has a part that begins or ends with a hyphen' : undefined),
  (name) => (name.includes('.') ? undefined : 'has no dot; write the full host name'),
  (name) => (name.split('.').every(decodes) ? undefined : 'has a part beginning with xn-- that does not decode'),
];

const publicCaChecks: readonly Check[] = [
  (name) => (name.split('.').length > 10 ? 'has more than 10 parts, which no public CA takes' : undefined),
  (name) => (/(^|\.)(?!xn)[a-z0-9]{2}--/.test(name) ? 'has "--" in third place, which is reserved' : undefined),
  specialUse,
];

export function checkName(text: string, publicCa: boolean): NameVerdict {
  const typed = text.trim().toLowerCase().replace(/\.$/, '');
  if (typed.endsWith('.invalid')) return { kind: 'placeholder' };

  const early = firstObjection(typed, checks);
  if (early) return { kind: 'refused', reason: early };

  const name = domainToASCII(typed);
  if (name === '') return { kind: 'refused', reason: 'is no valid internationalised name' };
  if (name.endsWith('.invalid')) return { kind: 'placeholder' }; // wide letters, as some keyboards type them
  const reason = firstObjection(name, publicCa ? [...asciiChecks, ...publicCaChecks] : asciiChecks);
  return reason ? { kind: 'refused', reason } : { kind: 'name', name };
}

function firstObjection(name: string, all: readonly Check[]): string | undefined {
  for (const check of all) {
    const reason = check(name);
    if (reason) return reason;
  }
  return undefined;
}

/** A URL parser reads any name whose last part is a number as IPv4 ("1.2.3", "a.0x7f"), so no browser could reach it. */
function looksLikeAddress(name: string): boolean {
  const bare = name.replace(/^\[|\]$/g, '');
  // Asked of few: the first question makes Node compile its pattern for IPv6, 11 ms, which a run without host names never needs.
  return (bare.includes(':') && isIPv6(bare)) || /(^|\.)(\d+|0x[0-9a-f]*)$/.test(bare);
}

function strangeCharacter(name: string): string | undefined {
  // The second half is what punycode can't hold: control characters beyond ASCII. Other letters are domainToASCII's.
  const found = /[^a-z0-9.\u0080-\u{10ffff}-]|[\u0080-\u009f]/u.exec(name)?.[0];
  return found === undefined ? undefined : `has the character ${shown(found)}, which no host name may have`;
}

/** JSON escapes what steers a terminal, but for the controls beyond ASCII and what turns the direction of a line. */
function shown(character: string): string {
  if (printable(character, 2) === character) return JSON.stringify(character);
  return `"\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}"`;
}

/** Node hands an xn-- label through unchanged when it doesn't decode; a decoded one must also encode to itself. */
function decodes(label: string): boolean {
  if (!label.startsWith('xn--')) return true;
  const unicode = domainToUnicode(label);
  return unicode !== label && unicode !== '' && domainToASCII(unicode) === label;
}

function specialUse(name: string): string | undefined {
  const zone = SPECIAL_USE.find((suffix) => name === suffix || name.endsWith(`.${suffix}`));
  return zone && `ends in .${zone}, for which no public CA issues certificates`;
}
