/** What an audit has seen, before anything is made of it. */
import type { CertificateFacts } from './certificate.ts';
import type { Handshakes } from './handshakes.ts';
import type { Suite } from './suites.ts';
import type { WebFacts } from './web.ts';

export interface Facts {
  readonly name: string;
  readonly handshakes: Handshakes;
  readonly certificates: readonly CertificateFacts[];
  readonly web: WebFacts;
}

/** Of all versions. */
export function suitesOf({ handshakes }: Facts): readonly Suite[] {
  return handshakes.versions.flatMap(({ suites }) => suites);
}
