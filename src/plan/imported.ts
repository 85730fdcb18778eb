/**
 * What certbot left in the state folder, and which of it is ours to go on with, so that the upgrade from a program that
 * ran certbot orders nothing.
 *
 * Pure. Only while there is no certificate of our own: afterwards certbot's are history.
 */
import { gateOf } from '../certificates/authority.ts';
import { type CertificateBundle, objections } from '../certificates/bundle.ts';
import type { Lineage } from '../store.ts';
import type { Observation, Policy } from './observation.ts';

export interface Imported {
  readonly bundles: readonly CertificateBundle[];
  /** Why the others with our names are not used. */
  readonly notes: readonly string[];
}

export function imported({ at, stored }: Observation, policy: Policy, domains: readonly string[]): Imported {
  if (stored.bundle !== undefined) return { bundles: [], notes: [] };
  const ours = stored.certbots.filter(({ bundle }) => bundle.domains.some((name) => domains.includes(name)));
  const judged = ours.map((lineage) => ({ lineage, bad: objectionTo(lineage, policy, at) }));
  return {
    bundles: judged.filter(({ bad }) => bad === undefined).map(({ lineage }) => lineage.bundle),
    notes: judged.flatMap(({ lineage, bad }) =>
      bad === undefined
        ? []
        : [
            `certbot's certificate ${lineage.name} is not imported: ${bad}; unless another certificate is found, a new one is ordered`,
          ],
    ),
  };
}

/** Whose directory nobody has told belongs to the configured one, as what is found in marathon-lb does. */
function objectionTo({ directory, bundle }: Lineage, { directoryUrl }: Policy, now: Date): string | undefined {
  if (directory !== undefined && directory !== directoryUrl)
    return `it is of ${directory}, and we keep to ${directoryUrl}`;
  const bad = objections(bundle, { domains: bundle.domains, now, ...gateOf(directoryUrl) });
  return bad.length === 0 ? undefined : bad.join('; ');
}
