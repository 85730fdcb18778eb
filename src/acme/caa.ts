/**
 * May this CA issue for a name, by the name's CAA records (RFC 8659), for our account and by http-01 (RFC 8657)?
 *
 * Pure: judges one set of records, the first that is not empty on the way from the name to the root (§3). What boulder
 * does where the RFC leaves room (va/caa.go): 1 counts as the critical bit as well as 128, and a record that cannot be
 * read allows nobody.
 */
import { printable } from '../printable.ts';

export interface CaaRecord {
  readonly flags: number;
  readonly tag: string;
  readonly value: string;
}
export interface CaaRequest {
  /** The domains that the CA goes by (RFC 8555 §7.1.1, caaIdentities). */
  readonly identities: readonly string[];
  /** Undefined: there is none yet. */
  readonly accountUrl: string | undefined;
}
export type CaaVerdict =
  | { readonly kind: 'allowed' }
  /** `ofAccount`: but for the account it would be allowed. */
  | { readonly kind: 'refused' | 'unsure'; readonly why: string; readonly ofAccount?: boolean };

const METHOD = 'http-01';
const CRITICAL = 128 | 1;
/** What has a meaning for a certificate of a server, or is known to have none. */
const KNOWN_TAGS = new Set(['issue', 'issuewild', 'iodef', 'issuemail', 'issuevmc', 'contactemail', 'contactphone']);

/** Whether there is anything in it that a CA would have to be compared with. */
export function restricts(records: readonly CaaRecord[]): boolean {
  return records.some(isCriticalUnknown) || issues(records).length > 0;
}

export function judgeCaa(records: readonly CaaRecord[], request: CaaRequest): CaaVerdict {
  const strange = records.find(isCriticalUnknown);
  if (strange !== undefined)
    return { kind: 'refused', why: `a critical CAA record '${printable(strange.tag, 40)}' that no CA knows` };
  const values = issues(records);
  if (values.length === 0) return { kind: 'allowed' };
  const verdicts = values.map((value) => judgeIssue(value, request));
  const best = ['allowed', 'unsure'].map((kind) => verdicts.find((verdict) => verdict.kind === kind)).find(Boolean);
  if (best !== undefined) return best;
  const why = verdicts.map((verdict) => (verdict.kind === 'allowed' ? '' : verdict.why));
  const ofAccount = verdicts.some((verdict) => verdict.kind === 'refused' && verdict.ofAccount);
  return { kind: 'refused', why: why.slice(0, 3).join('; '), ...(ofAccount && { ofAccount }) };
}

/** `issuewild` is for wildcards, which http-01 cannot prove. */
function issues(records: readonly CaaRecord[]): readonly string[] {
  return records.filter(({ tag }) => tag.toLowerCase() === 'issue').map(({ value }) => value);
}

function isCriticalUnknown({ flags, tag }: CaaRecord): boolean {
  return (flags & CRITICAL) !== 0 && !KNOWN_TAGS.has(tag.toLowerCase());
}

function judgeIssue(value: string, { identities, accountUrl }: CaaRequest): CaaVerdict {
  const shown = `issue "${printable(value, 200)}"`;
  const refused = (why: string): CaaVerdict => ({ kind: 'refused', why: `${shown} ${why}` });
  const { issuer, parameters } = parseIssue(value);
  if (issuer === '') return refused('allows no CA');
  if (!identities.some((identity) => identity.toLowerCase() === issuer.toLowerCase()))
    return refused(`does not name ${identities.join(' or ')}`);
  if (parameters === undefined) return refused('has parameters that cannot be read');
  const methods = parameters.filter(([tag]) => tag === 'validationmethods').map(([, list]) => list);
  if (!methods.every((list) => list.split(',').includes(METHOD))) return refused(`does not allow ${METHOD}`);
  const accounts = parameters.filter(([tag]) => tag === 'accounturi').map(([, uri]) => uri);
  if (accounts.length === 0) return { kind: 'allowed' };
  if (accountUrl === undefined)
    return { kind: 'unsure', why: `${shown} names an account, and ours is not made yet`, ofAccount: true };
  return accounts.length === 1 && accounts[0] === accountUrl
    ? { kind: 'allowed' }
    : { kind: 'refused', why: `${shown} names another account than ours, ${accountUrl}`, ofAccount: true };
}

interface Issue {
  readonly issuer: string;
  /** Undefined: not as RFC 8659 §4.2 writes them. */
  readonly parameters: readonly (readonly [tag: string, value: string])[] | undefined;
}

function parseIssue(text: string): Issue {
  const [issuer = '', ...rest] = text.split(';').map((part) => part.replace(/^[ \t]+|[ \t]+$/g, ''));
  if (rest.length === 1 && rest[0] === '') return { issuer, parameters: [] };
  const parsed = rest.map((part) => /^([0-9A-Za-z]+)[ \t]*=[ \t]*([\x21-\x7e]*)$/.exec(part));
  if (parsed.some((match) => match === null)) return { issuer, parameters: undefined };
  return { issuer, parameters: parsed.map((match) => [match?.[1]?.toLowerCase() ?? '', match?.[2] ?? '']) };
}
