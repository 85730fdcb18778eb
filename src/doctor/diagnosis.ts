/** One line of what the doctor says: what was looked at, how it is, and the cure. */

export type Health =
  | 'good'
  /** It cannot be told from here, or not without changing something. */
  | 'unknown'
  /** It works, and should not stay so. */
  | 'warning'
  | 'wrong';

export interface Diagnosis {
  readonly check: string;
  readonly subject: string;
  readonly verdict: Health;
  readonly says: string;
  readonly cure?: string | undefined;
}

/** What a check says of one subject, as the rows of a table are written. */
export function diagnosis(
  [check, subject]: readonly [check: string, subject: string],
  verdict: Health,
  says: string,
  cure?: string,
): Diagnosis {
  return { check, subject, verdict, says, ...(cure !== undefined && { cure }) };
}
