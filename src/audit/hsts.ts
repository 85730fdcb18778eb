/**
 * Strict-Transport-Security (RFC 6797 §6.1): what browsers will remember, read as strictly as they do. Pure.
 */
import { printable } from '../printable.ts';

export type Hsts =
  | { readonly kind: 'absent' }
  | { readonly kind: 'invalid'; readonly value: string; readonly why: string }
  | {
      readonly kind: 'valid';
      readonly value: string;
      /** Seconds. */
      readonly maxAge: number;
      readonly includeSubDomains: boolean;
      readonly preload: boolean;
      /** How many such headers there are; browsers read the first only (§8.1). */
      readonly count: number;
    };

/** Half a year: what SSL Labs calls long. */
export const LONG_SECONDS = 180 * 86_400;

export function readHsts(values: readonly string[]): Hsts {
  const [first] = values;
  if (first === undefined) return { kind: 'absent' };
  const value = printable(first, 200);
  const directives = first
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const names = directives.map((directive) => (directive.split('=')[0] ?? '').trim().toLowerCase());
  const repeated = names.find((name, nth) => names.indexOf(name) !== nth);
  if (repeated !== undefined) return { kind: 'invalid', value, why: `${printable(repeated, 40)} stands there twice` };
  const age = directives[names.indexOf('max-age')]?.replace(/^[^=]*=?\s*/, '').replace(/^"(.*)"$/, '$1');
  if (age === undefined) return { kind: 'invalid', value, why: 'max-age is missing' };
  if (!/^\d{1,15}$/.test(age)) return { kind: 'invalid', value, why: `max-age is no number: '${printable(age, 40)}'` };
  return {
    kind: 'valid',
    value,
    maxAge: Number(age),
    includeSubDomains: names.includes('includesubdomains'),
    preload: names.includes('preload'),
    count: values.length,
  };
}
