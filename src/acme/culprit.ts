/**
 * Which name a CA means when it refuses a whole order and names none: halves of the set are ordered until one is left.
 *
 * Let's Encrypt always tells (RFC 8555 §6.7.1 does not oblige a CA to). A hundred names take seven requests; each half
 * that the CA accepts is an order that nobody finishes, so `refusalOf` notes it like any other.
 */
import { judge } from './catalogue.ts';
import { AcmeError } from './problem.ts';
import { ruling } from './troubles.ts';

type Names = readonly string[];

/** The same refusal with the name that it is about, as far as that can be found. */
export async function withCulprit(
  refusal: AcmeError,
  names: Names,
  refusalOf: (names: Names) => Promise<AcmeError | undefined>,
): Promise<AcmeError> {
  let suspects = names;
  let words = refusal;
  let accepted = false;
  while (suspects.length > 1) {
    const half = suspects.slice(0, suspects.length / 2);
    const answer = await refusalOf(half);
    if (answer !== undefined && !isNameless(answer, half)) return isOnNames(answer, half) ? answer : refusal;
    words = answer ?? words;
    accepted ||= answer === undefined;
    suspects = answer === undefined ? suspects.slice(half.length) : half;
  }
  const others = names.filter((name) => !suspects.includes(name));
  // Where all is refused, whoever is asked for, it is no name's fault.
  if (!accepted && others.length > 0 && (await refusalOf(others)) !== undefined) return refusal;
  const { type, detail, status, retryAfter } = words;
  return new AcmeError({
    type,
    detail,
    status,
    retryAfter,
    subproblems: suspects.map((domain) => ({ type, detail, domain })),
  });
}

/** A name is refused for good, but which? */
export function isNameless(error: unknown, names: Names): error is AcmeError {
  if (!(error instanceof AcmeError) || error.type === 'rateLimited' || isOnNames(error, names)) return false;
  const row = ruling(error);
  return names.length > 0 && row?.scope === 'name' && row.pace === 'week';
}

function isOnNames(error: AcmeError, names: Names): boolean {
  return error.domains.length > 0 && judge(error, names).every(({ scope }) => scope === 'name');
}
